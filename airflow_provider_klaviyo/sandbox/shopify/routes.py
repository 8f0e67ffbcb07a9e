# SPDX-License-Identifier: Apache-2.0
"""The addresses of the local Shopify."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from airflow_provider_klaviyo.sandbox.shopify import cost, downloads
from airflow_provider_klaviyo.sandbox.shopify.documents import Document, Json, Refused
from airflow_provider_klaviyo.sandbox.shopify.faults import REQUEST_FAULTS, Fault, ShopFault
from airflow_provider_klaviyo.sandbox.shopify.roots import Roots
from airflow_provider_klaviyo.sandbox.shopify.selection import denied
from airflow_provider_klaviyo.sandbox.shopify.state import ShopState

WRONG_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"
TOKEN_HEADER = "x-shopify-access-token"


def router(state: ShopState) -> APIRouter:
    """
    Make the routes.

    :param state: What they answer from.
    """
    routes = APIRouter()

    @routes.post("/admin/oauth/access_token")
    async def access_token(request: Request) -> Response:
        """Sell a token."""
        body = await request.body()
        form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        given: Any = dict(parse_qsl(body.decode())) if form else json.loads(body or b"{}")
        return _token(state, given)

    @routes.post("/admin/api/{version}/graphql.json")
    async def graphql(version: str, request: Request) -> Response:
        """Answer a document."""
        served = state.served(version)
        if served is None:
            return JSONResponse({"errors": "Not Found"}, 404)
        answer = await run_in_threadpool(_graphql, state, await request.body(), dict(request.headers))
        answer.headers["X-Shopify-API-Version"] = served
        return answer

    @routes.get("/bulk/{number}")
    def bulk(number: int, request: Request) -> Response:
        return downloads.download(state, number, request)

    @routes.get("/_sandbox/shop")
    def shop() -> Json:
        return dict(state.tallies())

    return routes


def _token(state: ShopState, given: Json) -> Response:
    """Answer the client credentials grant."""
    if given.get("grant_type") != "client_credentials":
        return JSONResponse({"error": "invalid_request", "error_description": "The grant type is not known"}, 400)
    token = state.issue(str(given.get("client_id")), str(given.get("client_secret")))
    if token is None:
        return JSONResponse({"error": "invalid_client", "error_description": "The client id or the client secret is wrong"}, 401)
    lives = state.settings.token_seconds - 1
    return JSONResponse({"access_token": token, "scope": ",".join(sorted(state.settings.scopes)), "expires_in": lives})


def _graphql(state: ShopState, body: bytes, headers: dict[str, str]) -> Response:
    """Answer one GraphQL request."""
    if not state.knows(headers.get(TOKEN_HEADER, "")):
        return JSONResponse({"errors": WRONG_TOKEN}, 401)
    try:
        sent = json.loads(body)
        text, variables = str(sent["query"]), sent.get("variables") or {}
    except (ValueError, KeyError, TypeError):
        return JSONResponse({"errors": {"query": "Required parameter missing or invalid"}}, 400)
    try:
        document = state.check(text, variables)
    except Refused as refused:
        return JSONResponse({"errors": list(refused.errors)})
    roots = {field.name for field in document.fields}
    with state.lock:
        for root in roots:
            state.requests[root] = state.requests.get(root, 0) + 1
    fault = state.faults.take(REQUEST_FAULTS, roots)
    if fault and fault.kind is not ShopFault.DROP_AFTER:
        return _fault(state, fault, document)
    answer = _answer(state, document, debug=bool(headers.get("shopify-search-query-debug")))
    return downloads.Cut(b"", 1000) if fault else JSONResponse(answer)


def _answer(state: ShopState, document: Document, *, debug: bool) -> Json:
    """Return the body of an answer."""
    price = cost.requested(document)
    if price > cost.HIGHEST:
        message = f"Query cost is {price}, which exceeds the single query max cost limit ({cost.HIGHEST})."
        return {"errors": [{"message": message, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": price, "maxCost": cost.HIGHEST}}]}
    if not state.bucket.pay(0, need=price):
        return _throttled(state, price)
    roots = Roots(state)
    try:
        data: Json | None = roots.answer(document)
    except Refused as refused:
        state.bucket.pay(1, need=0)
        return {"errors": list(refused.errors), "data": None, "extensions": {"cost": _cost(state, price, 1)}}
    paid = cost.actual(document, data or {})
    state.bucket.pay(paid, need=0)
    extensions: Json = {"cost": _cost(state, price, paid)}
    if searches := [each for each in roots.searches if each["warnings"] or debug]:
        extensions["search"] = searches
    return {"data": data, "extensions": extensions}


def _cost(state: ShopState, price: int, paid: int | None) -> Json:
    return {"requestedQueryCost": price, "actualQueryCost": paid, "throttleStatus": state.bucket.status()}


def _throttled(state: ShopState, price: int) -> Json:
    link = "https://shopify.dev/api/usage/rate-limits"
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": link}}
    return {"errors": [error], "extensions": {"cost": _cost(state, price, None)}}


def _fault(state: ShopState, fault: Fault, document: Document) -> Response:
    """Answer as a queued fault says."""
    price = cost.requested(document)
    match fault.kind:
        case ShopFault.THROTTLED:
            return JSONResponse(_throttled(state, price))
        case ShopFault.INTERNAL_ERROR:
            message = "Internal error. Looks like something went wrong on our end."
            error = {"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
            return JSONResponse({"errors": [error]})
        case ShopFault.ACCESS_DENIED:
            root = document.fields[0].key
            errors = denied(root, fault.detail or "read_customers").errors
            return JSONResponse({"errors": list(errors), "data": {root: None}, "extensions": {"cost": _cost(state, price, 1)}})
        case ShopFault.UNAUTHORIZED:
            return JSONResponse({"errors": WRONG_TOKEN}, 401)
        case ShopFault.HTTP_STATUS:
            return http_error(int(fault.detail or 500))
    return downloads.Cut(b"", 1000)


def http_error(status: int) -> Response:
    """Answer an HTTP error: a page of a proxy for 502 and 504, Shopify's JSON else."""
    if status in {HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT}:
        return HTMLResponse("<!DOCTYPE html><html><head><title>Bad gateway</title></head><body></body></html>", status)
    waiting = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return JSONResponse({"errors": HTTPStatus(status).phrase}, status, headers={"Retry-After": "1.0"} if waiting else None)
