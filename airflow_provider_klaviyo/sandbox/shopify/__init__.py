# SPDX-License-Identifier: Apache-2.0
"""
A local Shopify: one shop behind the Admin GraphQL API 2026-10, its bulk operations and their downloads.

It answers what :mod:`airflow_provider_klaviyo.shopify` asks, with Shopify's own names, messages and traps. What it does not hold it refuses by
name, and never answers with null. See https://shopify.dev/docs/api/admin-graphql
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from fastapi import APIRouter

from airflow_provider_klaviyo.sandbox.shopify.faults import ShopFault
from airflow_provider_klaviyo.sandbox.shopify.generated import generate
from airflow_provider_klaviyo.sandbox.shopify.routes import router
from airflow_provider_klaviyo.sandbox.shopify.state import CLIENT_ID, CLIENT_SECRET, STATIC_TOKEN, UNBOUNDED, ShopSettings, ShopState
from airflow_provider_klaviyo.sandbox.shopify.store import Store

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "STATIC_TOKEN", "ShopFault", "ShopSettings", "ShopState", "Store", "create"]

BUCKET = 2000
RESTORED = 100


def create(
    store: Path | Store | None,
    public_url: Callable[[], str],
    *,
    customers: int = 2000,
    orders: int = 3000,
    seed: int = 1,
    now: datetime | None = None,
    job_seconds: float = 2.0,
    limits: Literal["documented", "off"] = "documented",
    schema: Path | None = None,
    clock: Callable[[], float] = time.time,
) -> tuple[APIRouter, ShopState]:
    """
    Make a shop and its routes.

    :param store: A folder with ``customers.jsonl.gz`` and ``orders.jsonl.gz`` as bulk operations write them, a shop, or ``None`` for a generated one.
    :param public_url: Returns the server's address without a path; asked when a result's address is signed.
    :param customers: Customers of the generated shop.
    :param orders: Its orders.
    :param seed: Same seed, same shop.
    :param now: When its latest change happened; the start of the current day in UTC, where left out.
    :param job_seconds: How long a bulk operation takes at least.
    :param limits: Whether the GraphQL bucket of 2,000 points, 100 back in a second, is kept.
    :param schema: Shopify's introspection result (``.json.gz``): documents are then held against it, too.
    :param clock: Seconds since 1970.
    """
    match store:
        case Path():
            source = partial(Store.load, store)
        case Store():
            source = partial(_given, store)
        case None:
            source = partial(generate, customers=customers, orders=orders, seed=seed, now=now)
    documented = limits == "documented"
    state = ShopState(
        source=source,
        public_url=public_url,
        settings=ShopSettings(job_seconds=job_seconds),
        bucket_size=BUCKET if documented else UNBOUNDED,
        restore_rate=RESTORED if documented else UNBOUNDED,
        schema_file=schema,
        clock=clock,
    )
    return router(state), state


def _given(store: Store) -> Store:
    return store
