# SPDX-License-Identifier: Apache-2.0
"""The lines of a bulk result, put back together as the objects they were."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import NamedTuple

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.shopify.errors import ShopifyDataError

GID = "gid://shopify/"
BATCH = 500
SCHEMA = "CREATE TABLE node (line INTEGER PRIMARY KEY, id TEXT UNIQUE, parent TEXT, type TEXT, json TEXT)"
# An object that changed while Shopify was reading can come twice: the later version stands, at the place of the first.
INSERT = "INSERT INTO node VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET parent = excluded.parent, json = excluded.json"
ORPHAN = "SELECT line FROM node AS child WHERE parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM node WHERE id = child.parent) LIMIT 1"
ROOTS = "SELECT id, type, json FROM node WHERE parent IS NULL ORDER BY line"
CHILDREN = "SELECT id, type, json FROM node WHERE parent = ? ORDER BY line"


Stored = tuple[str, str, str]


class Row(NamedTuple):
    """One line: its number, the gid and its type, the parent's gid, and the line itself."""

    line: int
    id: str | None
    parent: str | None
    type: str
    json: str


def stitch(lines: Iterable[bytes | str], *, children: Mapping[str, str] | None = None) -> Iterator[Json]:
    """
    Yield a bulk result's objects in their order, each with the rows that belong to it.

    Rows of nested connections name their parent and may stand anywhere behind it, so nothing is whole before the last line.
    They wait in a temporary SQLite database, which goes to disk by itself: memory stays flat for millions of lines.
    Without ``children`` each line is an object, and none waits.
    `Shopify: the JSONL data format <https://shopify.dev/docs/api/usage/bulk-operations/queries#the-jsonl-data-format>`__.

    :param lines: The file's lines.
    :param children: Where rows of nested connections go: ``{"LineItem": "lineItems"}``, by type. A list, in the file's order.
    :raises ShopifyDataError: A line is not an object, or belongs to none, or is of a type not expected. The message has its number.
    """
    rows = _read(lines, children or {})
    if not children:
        yield from (json.loads(row.json) for row in rows)
        return
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as spill:
        spill.execute(SCHEMA)
        spill.execute("BEGIN")
        parents: set[str] = set()  # the types that have children: a handful
        while batch := list(islice(rows, BATCH)):
            parents.update(type_of(row.parent) for row in batch if row.parent)
            spill.executemany(INSERT, batch)
        spill.execute("CREATE INDEX parent ON node (parent)")
        if orphan := spill.execute(ORPHAN).fetchone():
            raise ShopifyDataError(
                f"Line {orphan[0]} of the bulk result belongs to an object that is not in it. Run the bulk operation again."
            )
        for row in spill.execute(ROOTS):
            yield _whole(spill, row, children, parents)


def type_of(gid: str) -> str:
    """Return the type in a gid: ``Order`` of ``gid://shopify/Order/17``."""
    kind, slash, _ = gid.removeprefix(GID).partition("/")
    return kind if slash and gid.startswith(GID) else ""


def _whole(spill: sqlite3.Connection, row: Stored, children: Mapping[str, str], parents: set[str]) -> Json:
    """Put an object together with what belongs to it, and to that."""
    gid, kind, text = row
    node: Json = json.loads(text)
    node.pop("__parentId", None)
    if kind in parents:
        for child in spill.execute(CHILDREN, (gid,)).fetchall():
            node.setdefault(children[child[1]], []).append(_whole(spill, child, children, parents))
    return node


def _read(lines: Iterable[bytes | str], children: Mapping[str, str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            text = line if isinstance(line, str) else line.decode()
            node = json.loads(text)
        except ValueError:
            node = None
        if not isinstance(node, dict):
            raise ShopifyDataError(f"Line {number} of the bulk result is not a JSON object. The file is damaged: read it again.")
        gid, parent = node.get("id"), node.get("__parentId")
        kind = node.get("__typename") or type_of(gid or "")
        if parent is not None and kind not in children:
            known = ", ".join(children) or "no rows of nested connections"
            raise ShopifyDataError(f"Line {number} of the bulk result is a row of type {kind or 'unknown'}; expected are {known}.")
        yield Row(number, gid, parent, kind, text)
