# SPDX-License-Identifier: Apache-2.0
"""The tables that example DAGs read, with a few rows that are as good and as bad as rows are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.transfers import fivetran
from tests.transfers.messy import Database
from tests.transfers.warehouse import Warehouse, warehouse

RUN = "2026-11-20T04:00:00+00:00"
"""When the run is due: it covers the day before."""
IN_TIME, TOO_EARLY, TOO_LATE = "2026-11-19T12:00:00+00:00", "2026-11-18T23:00:00+00:00", "2026-11-20T05:00:00+00:00"

CUSTOMERS = """
    CREATE TABLE customers (
        id INTEGER PRIMARY KEY, email TEXT, phone TEXT, first_name TEXT, last_name TEXT, city TEXT, interests TEXT, plan TEXT,
        lifetime_value NUMERIC, first_order_on DATE, updated_at TIMESTAMP WITH TIME ZONE
    )
"""
ORDERS = """
    CREATE TABLE orders (
        id INTEGER PRIMARY KEY, customer_id INTEGER, ordered_at TIMESTAMP WITH TIME ZONE, total NUMERIC, currency TEXT, coupon TEXT,
        cancelled_at TIMESTAMP WITH TIME ZONE, cancel_reason TEXT, updated_at TIMESTAMP WITH TIME ZONE
    )
"""
CONSENTS = """
    CREATE TABLE consents (
        id INTEGER PRIMARY KEY, person_id INTEGER, email TEXT, mobile TEXT, channel TEXT, answer TEXT, said_at TIMESTAMP WITH TIME ZONE
    )
"""
REQUESTS = "CREATE TABLE erasure_requests (id INTEGER PRIMARY KEY, email TEXT, asked_at TEXT, done_at TIMESTAMP WITH TIME ZONE)"


def customers(made: Warehouse) -> None:
    """Lay customers."""
    made.run(CUSTOMERS)
    made.fill(
        "customers",
        [
            (1, " Sarah@Example.com", "07400 123456", "Sarah ", "Jones", "London", "tea; bikes", "gold", 1234.5, "2025-03-01", IN_TIME),
            (2, "mia@example.com", None, "Mia", None, "", "", None, 12, None, IN_TIME),
            (3, None, "+447400123457", "Zoë", "Ångström", None, None, "silver", 2000, "2026-11-19", IN_TIME),
            (4, "old@example.com", None, "Old", None, None, None, None, 5000, None, TOO_EARLY),
            (5, "new@example.com", None, "New", None, None, None, None, 7000, None, TOO_LATE),
        ],
    )


def customers_and_orders(made: Warehouse) -> None:
    """Lay customers, and orders of theirs."""
    customers(made)
    made.run(ORDERS)
    made.fill(
        "orders",
        [
            (1001, 1, IN_TIME, 29.98, "GBP", "TEA10", None, None, IN_TIME),
            (1002, 2, "2026-11-01T10:00:00+00:00", 5, "GBP", None, IN_TIME, "changed their mind", IN_TIME),
            (1003, 4, TOO_EARLY, 7.5, "GBP", None, None, None, TOO_EARLY),
        ],
    )


def consents(made: Warehouse) -> None:
    """Lay what people said."""
    made.run(CONSENTS)
    at = ("2026-11-20T03:10:00+00:00", "2026-11-20T03:20:00+00:00")
    made.fill(
        "consents",
        [
            (1, 1, "sarah@example.com", None, "email", "yes", at[0]),
            (2, 2, "mia@example.com", None, "email", "yes", at[0]),
            (3, 2, "mia@example.com", None, "email", "no", at[1]),
            (4, 3, None, "07400 123456", "sms", "yes", at[0]),
            (5, 4, "early@example.com", None, "email", "yes", TOO_EARLY),
        ],
    )


def requests(made: Warehouse) -> None:
    """Lay requests for erasure."""
    made.run(REQUESTS)
    made.fill(
        "erasure_requests",
        [
            (1, "sarah@example.com ", TOO_EARLY, None),
            (2, "unheard.of@example.com", IN_TIME, None),
            (3, "done@example.com", TOO_EARLY, IN_TIME),
        ],
    )


TABLES: dict[str, Callable[[Warehouse], None]] = {
    "warehouse_to_klaviyo": customers_and_orders,
    "crm_consent_to_klaviyo": consents,
    "list_sync": customers,
    "nightly_skip_unchanged": customers,
    "gdpr_erasure": requests,
}


@contextmanager
def example_warehouse(
    name: str, sandbox: SandboxServer, folder: Path, monkeypatch: pytest.MonkeyPatch, database: Database = "sqlite"
) -> Iterator[Warehouse | None]:
    """
    Lay the tables of an example, and make the connections to them; nothing for one that reads none.

    :param name: The example.
    :param sandbox: Its shop is what lies in the tables of the example about Shopify's, which needs PostgreSQL.
    :param folder: For the database, where it is a file.
    :param monkeypatch: For the connections.
    :param database: Which kind of database.
    """
    if name not in TABLES and name != "shopify_warehouse_to_klaviyo":
        yield None
        return
    with warehouse("postgres" if name not in TABLES else database, folder, monkeypatch) as made:
        monkeypatch.setenv("AIRFLOW_CONN_CRM", os.environ["AIRFLOW_CONN_WAREHOUSE"])
        if lay := TABLES.get(name):
            lay(made)
        else:
            fivetran.lay(made, sandbox.shopify.store, synced=IN_TIME)
        yield made
