# SPDX-License-Identifier: Apache-2.0
"""Shops that lie in files: their form, and the real one beside the clone, held against its independent tallies."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_klaviyo.sandbox.shopify.store import Store, encoded
from airflow_provider_klaviyo.shopify.queries import orders
from tests.sandbox.shopify_client import Json, Shop, serve, shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMER: Json = {"id": "gid://shopify/Customer/1", "updatedAt": "2026-11-18T10:00:00Z", "firstName": "Ada"}
ORDER: Json = {"id": "gid://shopify/Order/1", "updatedAt": "2026-11-18T10:00:00Z", "name": "#1"}
LINE: Json = {"id": "gid://shopify/LineItem/1", "title": "Mug", "__parentId": "gid://shopify/Order/1"}


def _folder(path: Path, customers: list[Json], orders: list[Json]) -> Path:
    for name, rows in (("customers", customers), ("orders", orders)):
        (path / f"{name}.jsonl.gz").write_bytes(gzip.compress(b"".join(encoded(row) + b"\n" for row in rows)))
    return path


def test_a_folder_is_served(tmp_path: Path) -> None:
    with serve(_folder(tmp_path, [CUSTOMER], [ORDER, LINE])) as shop:
        assert shop.http.get("/_sandbox/shop").json() == {"customers": 1, "orders": 1, "lines": 1}
        assert shop.rows("{ orders(sortKey: UPDATED_AT) { edges { node { id lineItems { edges { node { title } } } } } } }") == [
            {"id": ORDER["id"]},
            {"title": "Mug", "__parentId": ORDER["id"]},
        ]


def test_what_the_files_do_not_hold_fails_by_name_and_is_never_null(tmp_path: Path) -> None:
    with serve(_folder(tmp_path, [CUSTOMER], [])) as shop:
        (error,) = shop.ask("{ customers(first: 1) { nodes { locale } } }")["errors"]
        assert "`locale`" in error["message"]
        (error,) = shop.ask("{ customers(first: 1, sortKey: CREATED_AT) { nodes { id } } }")["errors"]
        assert "`createdAt`" in error["message"]
        assert shop.bulk("{ customers { edges { node { locale } } } }")["status"] == "FAILED"


def test_an_orders_customer_is_the_one_of_the_customers_file(tmp_path: Path) -> None:
    """An order's row holds as much of the customer as its query asked for; Shopify tells of both the same."""
    email = {"emailAddress": "ada@example.com", "validFormat": False}
    ordered = ORDER | {"customer": {"id": CUSTOMER["id"], "defaultEmailAddress": {"emailAddress": "old@example.com"}}}
    query = (
        "{ orders(sortKey: UPDATED_AT) { edges { node { id customer { firstName defaultEmailAddress { emailAddress validFormat } } } } } }"
    )
    with serve(_folder(tmp_path, [CUSTOMER | {"defaultEmailAddress": email}], [ordered])) as shop:
        assert shop.rows(query) == [{"id": ORDER["id"], "customer": {"firstName": "Ada", "defaultEmailAddress": email}}]


def test_a_line_without_its_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="LineItem/1 comes before its order"):
        Store.load(_folder(tmp_path, [], [LINE, ORDER]))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path, [], [])
    (folder / "customers.jsonl.gz").write_bytes(gzip.compress(b"id,email\n1,ada@example.com\n"))
    with pytest.raises(ValueError, match=r"customers.jsonl.gz, line 1: not a row"):
        Store.load(folder)


# ── the real shop ──


@pytest.fixture(scope="module")
def real() -> Iterator[Shop]:
    with serve(shared("data", "store")) as shop:
        yield shop


def _expected() -> Json:
    return dict(json.loads(shared("data", "store", "expected.json").read_text()))


def _document(name: str, query: str = "") -> str:
    text = shared("contract", "shopify", f"{name}.graphql").read_text()
    return re.sub(r'query: "[^"]*", ', f"query: {json.dumps(query)}, " if query else "", text)


def test_its_tallies(real: Shop) -> None:
    assert real.http.get("/_sandbox/shop").json() == {"customers": 18148, "orders": 25162, "lines": 56046}


def test_a_full_bulk_query_gives_back_every_stored_byte(real: Shop) -> None:
    for name, file in (("customers_bulk_2026-10", "customers"), ("orders_bulk", "orders")):
        ended = real.bulk(_document(name))
        stored = gzip.decompress(shared("data", "store", f"{file}.jsonl.gz").read_bytes()).splitlines()
        assert ended["objectCount"] == str(len(stored))
        assert sorted(httpx.get(ended["url"], timeout=60).content.splitlines()) == sorted(stored)


def test_its_orders_tell_of_their_customers_what_the_customers_file_does(real: Shop) -> None:
    """Our own query asks more of a customer than the one the files were made by."""
    with gzip.open(shared("data", "store", "customers.jsonl.gz")) as lines:
        emails = {row["id"]: row["defaultEmailAddress"] for row in map(json.loads, lines)}
    buyers = [row["customer"] for row in real.rows(orders().document) if row.get("customer")]
    assert len(buyers) == 25162 - _expected()["orders"]["customer_null"]
    shown = ("emailAddress", "validFormat", "marketingState")
    for buyer in buyers:
        held = emails[buyer["id"]]
        assert buyer["defaultEmailAddress"] == (held and {name: held[name] for name in shown})


def test_its_windows(real: Shop) -> None:
    windows = {key: value for key, value in _expected()["windows"].items() if key != "about"}
    assert len(windows) == 6
    for window, count in windows.items():
        root, field, bound = re.fullmatch(r"(\w+?)_(\w+)_from_(.+)", window).groups()  # type: ignore[union-attr]
        term = re.sub("([A-Z])", lambda match: f"_{match[1].lower()}", field)
        found = real.rows(f"{{ {root}(query: \"{term}:>='{bound}'\") {{ edges {{ node {{ id {field} }} }} }} }}")
        assert len(found) == count, window
