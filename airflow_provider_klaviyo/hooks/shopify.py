# SPDX-License-Identifier: Apache-2.0
"""An Airflow connection becomes a session with a Shopify shop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from airflow.sdk import BaseHook

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify import queries
from airflow_provider_klaviyo.shopify.errors import ShopifyError
from airflow_provider_klaviyo.shopify.graphql import Call
from airflow_provider_klaviyo.shopify.settings import ShopifySettings
from airflow_provider_klaviyo.shopify_session import AsyncShopifySession, ShopifySession, open_async_shopify_session, open_shopify_session

READ_ALL = "read_all_orders"


class ShopifyHook(BaseHook):
    """
    Reach a shop's GraphQL Admin API.

    The connection's host is the shop's domain, ``my-shop.myshopify.com``. Its password is the app's Admin API access token; or its
    extra holds ``client_id`` and ``client_secret`` of an app of the shop's own organisation.
    `Shopify: access tokens <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens>`__.

    :param shopify_conn_id: The Airflow connection.
    """

    conn_name_attr = "shopify_conn_id"
    default_conn_name = "shopify_default"
    conn_type = "shopify"
    hook_name = "Shopify"

    def __init__(self, shopify_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.shopify_conn_id = shopify_conn_id

    @contextmanager
    def session(self) -> Iterator[ShopifySession]:
        """Open a blocking session."""
        with open_shopify_session(ShopifySettings.of(self.get_connection(self.shopify_conn_id))) as shopify:
            yield shopify

    @asynccontextmanager
    async def asession(self) -> AsyncIterator[AsyncShopifySession]:
        """Open an awaiting session; the connection, too, is looked up without blocking."""
        connection = await self.aget_connection(self.shopify_conn_id)
        async with open_async_shopify_session(ShopifySettings.of(connection)) as shopify:
            yield shopify

    def graphql(self, document: str, variables: Json | None = None, *, replayable: bool = False) -> Json:
        """
        Run a GraphQL document and return its ``data``.

        :param document: A query or mutation.
        :param variables: Its variables.
        :param replayable: Whether it may be sent again when nobody can know whether it arrived, as is safe with a query.
        :raises ShopifyApiError: Shopify will not do it, did not answer, or dropped a search term.
        """
        call: Call[Json] = Call("graphql", document, variables or {}, replayable=replayable)
        with self.session() as shopify:
            return shopify.send(call)

    def test_connection(self) -> tuple[bool, str]:
        """Say which shop answers and in which version, and warn where history would be missing."""
        try:
            with self.session() as shopify:
                shop = shopify.send(queries.shop())
                version = shopify.settings.api_version
                granted = _scopes(shopify)
        except ShopifyError as error:
            return False, str(error)
        warning = f" Without the scope {READ_ALL}, orders older than 60 days are missing." if granted and READ_ALL not in granted else ""
        return True, f"{shop['name']} ({shop['myshopifyDomain']}) answers in version {version}.{warning}"


def _scopes(shopify: ShopifySession) -> frozenset[str]:
    """Return the app's scopes, none where it may not ask for them."""
    try:
        return shopify.send(queries.scopes())
    except ShopifyError:
        return frozenset()
