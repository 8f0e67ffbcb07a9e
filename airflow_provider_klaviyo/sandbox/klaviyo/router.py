# SPDX-License-Identifier: Apache-2.0
"""The way of a request through the local Klaviyo, from the gate to its answer."""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.limits import Operation
from airflow_provider_klaviyo.sandbox import klaviyo
from airflow_provider_klaviyo.sandbox.klaviyo import gate, later, oauth
from airflow_provider_klaviyo.sandbox.klaviyo.calls import HANDLERS, Answer, Call
from airflow_provider_klaviyo.sandbox.klaviyo.forms import Form
from airflow_provider_klaviyo.sandbox.klaviyo.gate import Incoming
from airflow_provider_klaviyo.sandbox.klaviyo.limiter import Ruling, describe
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, throttled
from airflow_provider_klaviyo.sandbox.klaviyo.query import read
from airflow_provider_klaviyo.sandbox.klaviyo.received import Received
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

MEDIA_TYPE = "application/vnd.api+json"
TOO_MANY = 429

for _module in pkgutil.iter_modules(klaviyo.__path__):
    import_module(f"{klaviyo.__name__}.{_module.name}")  # each registers what it answers


def create(state: KlaviyoState) -> APIRouter:
    """
    Return the routes of a local Klaviyo.

    :param state: Its account.
    """
    router = APIRouter()
    router.include_router(oauth.create(state))

    @router.api_route("/client/{path:path}", methods=[*gate.METHODS, "PUT"], include_in_schema=False)
    @router.api_route("/api/{path:path}", methods=[*gate.METHODS, "PUT"], include_in_schema=False)
    async def serve(request: Request) -> Response:
        """Answer a request."""
        incoming = Incoming(
            method=request.method,
            path=request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0].rstrip("/"),
            query=request.url.query,
            headers=dict(request.headers),
            raw=await request.body(),
        )
        return await run_in_threadpool(respond, state, incoming)

    return router


def respond(state: KlaviyoState, incoming: Incoming) -> Response:
    """
    Carry out a request.

    :param state: The account.
    :param incoming: The request.
    """
    operation = limits.find(incoming.method, incoming.path)
    headers: dict[str, str] = {}
    try:
        scopes = gate.key_of(incoming, state)
        gate.check_revision(incoming)
        operation = gate.operation_of(incoming)
        ruling = _admit(state, operation, incoming)
        if ruling.wait:
            return _too_often(state, operation, incoming, ruling)
        headers = dict(ruling.headers)
        gate.check_scopes(operation, scopes)
        answer = _carry_out(state, operation, incoming)
    except Refused as refused:
        answer = Answer(refused.status, refused.body())
    text = b""
    if answer.body is not None:
        text = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    _remember(state, operation, incoming, answer.status, text)
    return Response(text, answer.status, headers, MEDIA_TYPE if text else None)


def _admit(state: KlaviyoState, operation: Operation, incoming: Incoming) -> Ruling:
    if state.behaviour.limits == "off":
        return Ruling(0, describe(operation))
    words = ",".join(value for name, value in parse_qsl(incoming.query) if name == "include" or name.startswith(("additional-", "fields")))
    with state.lock:
        return state.limiter.admit(operation, frozenset(words.split(",")))


def _carry_out(state: KlaviyoState, operation: Operation, incoming: Incoming) -> Answer:
    form, body = Form({}, {}), None
    if operation.id in gate.FORMS:
        form = gate.form_of(incoming)
    else:
        body = gate.body_of(incoming, gzip=state.behaviour.gzip_bodies)
    handler = HANDLERS.get(operation.id)
    if handler is None:
        raise Refused(501, "not_emulated", Problem(f"The sandbox does not emulate {operation.id} yet.", "/data/"))
    call = Call(
        state=state,
        operation=operation,
        ids=gate.ids_of(operation, incoming.path),
        query=read(incoming.query, operation),
        body=body,
        base=state.behaviour.links or f"https://{incoming.headers.get('host', 'localhost')}",
        path=incoming.path,
        form=form.fields,
        files=form.files,
    )
    with state.lock:
        later.settle(state)
        return handler(call)


def _too_often(state: KlaviyoState, operation: Operation, incoming: Incoming, ruling: Ruling) -> Response:
    """Return a 429 as recorded: with ``retry-after`` and nothing else, no content type either."""
    text = json.dumps(throttled(ruling.wait)).encode()
    _remember(state, operation, incoming, TOO_MANY, text)
    return Response(text, TOO_MANY, {"retry-after": str(ruling.wait)})


def _remember(state: KlaviyoState, operation: Operation | None, incoming: Incoming, status: int, answered: bytes) -> None:
    name = f"{incoming.method} {operation.path if operation else incoming.path}"
    query = dict(parse_qsl(incoming.query, keep_blank_values=True))
    state.remember(Received(name, incoming.path, query, incoming.headers, incoming.raw, status, answered))
