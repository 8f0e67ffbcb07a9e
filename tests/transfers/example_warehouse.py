# SPDX-License-Identifier: Apache-2.0
"""The tables that example DAGs read, with a few rows that are as good and as bad as rows are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import session
from tests.transfers import fivetran
from tests.transfers.messy_faults import Database
from tests.transfers.warehouse import Warehouse, warehouse

DUE = datetime(2026, 11, 20, 4, tzinfo=UTC)
"""When the run is due for which rows are laid: it covers the day before."""


@dataclass(frozen=True)
class Moments:
    """Moments in and around the day that a run covers, as the tables have them."""

    due: datetime

    @property
    def in_time(self) -> str:
        """Sixteen hours before."""
        return self.before(hours=16)

    @property
    def too_early(self) -> str:
        """Before the run's day, by more than what a query looks back."""
        return self.before(hours=29)

    @property
    def too_late(self) -> str:
        """When the run was due already."""
        return self.before(hours=-1)

    def before(self, **ago: float) -> str:
        """Return a moment before the run was due."""
        return (self.due - timedelta(**ago)).isoformat()


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


def customers(made: Warehouse, at: Moments) -> None:
    """Lay customers."""
    made.run(CUSTOMERS)
    made.fill(
        "customers",
        [
            (1, " Sarah@Example.com", "07400 123456", "Sarah ", "Jones", "London", "tea; bikes", "gold", 1234.5, "2025-03-01", at.in_time),
            (2, "mia@example.com", None, "Mia", None, "", "", None, 12, None, at.in_time),
            (3, None, "+447400123457", "Zoë", "Ångström", None, None, "silver", 2000, "2026-11-19", at.in_time),
            (4, "old@example.com", None, "Old", None, None, None, None, 5000, None, at.too_early),
            (5, "new@example.com", None, "New", None, None, None, None, 7000, None, at.too_late),
        ],
    )


def customers_and_orders(made: Warehouse, at: Moments) -> None:
    """Lay customers, and orders of theirs."""
    customers(made, at)
    made.run(ORDERS)
    made.fill(
        "orders",
        [
            (1001, 1, at.in_time, 29.98, "GBP", "TEA10", None, None, at.in_time),
            (1002, 2, at.before(days=30), 5, "GBP", None, at.in_time, "changed their mind", at.in_time),
            (1003, 4, at.too_early, 7.5, "GBP", None, None, None, at.too_early),
        ],
    )


def consents(made: Warehouse, at: Moments) -> None:
    """Lay what people said."""
    made.run(CONSENTS)
    first, then = at.before(minutes=50), at.before(minutes=40)
    made.fill(
        "consents",
        [
            (1, 1, "sarah@example.com", None, "email", "yes", first),
            (2, 2, "mia@example.com", None, "email", "yes", first),
            (3, 2, "mia@example.com", None, "email", "no", then),
            (4, 3, None, "07400 123456", "sms", "yes", first),
            (5, 4, "early@example.com", None, "email", "yes", at.before(days=10)),
            (6, 5, "zoe@example.com", None, "email", "perhaps", first),
        ],
    )


KNOWN = ("sarah@example.com", "mia@example.com", "done@example.com")
"""Who is in Klaviyo before anybody is erased."""


def requests(made: Warehouse, at: Moments) -> None:
    """Lay requests for erasure."""
    made.run(REQUESTS)
    made.fill(
        "erasure_requests",
        [
            (1, "sarah@example.com ", at.too_early, None),
            (2, "unheard.of@example.com", at.in_time, None),
            (3, "done@example.com", at.too_early, at.in_time),
        ],
    )


TABLES: dict[str, Callable[[Warehouse, Moments], None]] = {
    "warehouse_to_klaviyo": customers_and_orders,
    "crm_consent_to_klaviyo": consents,
    "list_sync": customers,
    "nightly_skip_unchanged": customers,
    "gdpr_erasure": requests,
}


@contextmanager
def example_warehouse(
    name: str, sandbox: SandboxServer, folder: Path, monkeypatch: pytest.MonkeyPatch, database: Database = "sqlite", due: datetime = DUE
) -> Iterator[Warehouse | None]:
    """
    Lay the tables of an example, and make the connections to them; nothing for one that reads none.

    :param name: The example.
    :param sandbox: Its shop is what lies in the tables of the example about Shopify's, which needs PostgreSQL.
    :param folder: For the database, where it is a file.
    :param monkeypatch: For the connections.
    :param database: Which kind of database.
    :param due: When the run is due.
    """
    if name not in TABLES and name != "shopify_warehouse_to_klaviyo":
        yield None
        return
    with warehouse("postgres" if name not in TABLES else database, folder, monkeypatch) as made:
        monkeypatch.setenv("AIRFLOW_CONN_CRM", os.environ["AIRFLOW_CONN_WAREHOUSE"])
        monkeypatch.setenv("AIRFLOW_VAR_KLAVIYO_STATE_PATH", f"file://{folder}/state")
        if name == "gdpr_erasure":
            with session(sandbox) as klaviyo:
                for email in KNOWN:
                    klaviyo.send(profiles.create(profile={"email": email}))
        if lay := TABLES.get(name):
            lay(made, Moments(due))
        else:
            fivetran.lay(made, sandbox.shopify.store, synced=Moments(due).in_time)
        yield made
