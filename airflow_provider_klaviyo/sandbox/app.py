# SPDX-License-Identifier: Apache-2.0
"""The sandbox's application: Klaviyo at ``/api``, ``/client`` and ``/oauth``, Shopify at ``/admin`` and ``/bulk``, its controls at ``/_sandbox``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.sandbox import klaviyo
from airflow_provider_klaviyo.sandbox.faults import Fault, FaultMiddleware, Faults

TOO_MANY = 429
BEHAVIOUR = TypeAdapter(klaviyo.Behaviour)


def create_app(state: klaviyo.KlaviyoState, faults: Faults, reset: Callable[[], None], shopify: APIRouter) -> ASGIApp:
    """
    Return the application.

    :param state: Klaviyo's account.
    :param faults: The faults to come.
    :param reset: What ``POST /_sandbox/reset`` does.
    :param shopify: The shop's routes.
    """
    app = FastAPI(title="Klaviyo sandbox", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.include_router(klaviyo.create(state))
    app.include_router(_controls(state, faults, reset))
    app.include_router(shopify)
    return CountMiddleware(FaultMiddleware(app, faults, state.meanwhile), state.requests)


class CountMiddleware:
    """
    Counts Klaviyo's requests by method and path template, whatever becomes of them, and those that came too often.

    :param app: The application.
    :param requests: Where to count.
    """

    def __init__(self, app: ASGIApp, requests: Counter[str]) -> None:
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and count it."""
        if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/client/", "/oauth/")):
            await self.app(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1")
        operation = limits.find(scope["method"], path)
        self.requests[f"{scope['method']} {operation.path if operation else path.partition('?')[0]}"] += 1

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == TOO_MANY:
                self.requests["429"] += 1
            await send(message)

        await self.app(scope, receive, count)


def _controls(state: klaviyo.KlaviyoState, faults: Faults, reset: Callable[[], None]) -> APIRouter:
    router = APIRouter(prefix="/_sandbox")

    @router.get("/health")
    def health() -> dict[str, str]:
        """Say that it is there."""
        return {"status": "ok"}

    @router.get("/requests")
    def requests() -> dict[str, int]:
        """Return how often what was asked."""
        return dict(state.requests)

    @router.get("/counts")
    def counts() -> dict[str, int]:
        """Return how many rows Klaviyo holds, by table."""
        return state.counts()

    @router.post("/faults")
    def add_fault(data: dict[str, Any]) -> dict[str, Any]:
        """Queue a fault."""
        try:
            return faults.add(Fault.of(data)).describe()
        except TypeError as error:
            raise HTTPException(422, str(error)) from None

    @router.post("/settings")
    def change(data: dict[str, Any]) -> dict[str, Any]:
        """Change how the local Klaviyo behaves, and return all its settings."""
        settings = asdict(state.behaviour)
        if unknown := data.keys() - settings:
            raise HTTPException(422, f"unknown settings: {', '.join(sorted(unknown))}; known are {', '.join(sorted(settings))}")
        try:
            state.behaviour = BEHAVIOUR.validate_python({**settings, **data})
        except ValidationError as error:
            raise HTTPException(422, str(error)) from None
        return asdict(state.behaviour)

    @router.post("/reset")
    def start_over() -> dict[str, str]:
        """Return to the start."""
        reset()
        return {"status": "ok"}

    return router
