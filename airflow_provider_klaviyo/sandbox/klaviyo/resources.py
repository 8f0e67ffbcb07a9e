# SPDX-License-Identifier: Apache-2.0
"""A store for resources of which an account has hundreds, not millions: one table, attributes as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import documents, filters
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Call
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, iso_seconds, moment, token
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page
from airflow_provider_klaviyo.sandbox.klaviyo.problems import not_found
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
COLUMNS = "r.id, r.created, r.updated, r.attributes, r.related"


@dataclass(frozen=True)
class Relation:
    """
    A relationship of a kind.

    :param type: The type of what it leads to.
    :param many: Whether to several.
    """

    type: str
    many: bool = True


@dataclass(frozen=True)
class Kind:
    """
    A type of resources.

    :param type: Its name, such as ``template``.
    :param path: What stands after ``/api/`` in its address.
    :param noun: What one is called in a refusal.
    :param relations: Its relationships, by name.
    :param times: What the times of making and change are called; ``""`` for one that is not shown.
    :param within: The attribute in which the others stand, to filter and sort by them; ``""`` where they stand side by side.
    """

    type: str
    path: str
    noun: str
    relations: Mapping[str, Relation] = field(default_factory=dict)
    times: tuple[str, str] = ("created", "updated")
    within: str = ""


@dataclass(frozen=True)
class Resource:
    """
    One resource.

    :param kind: What it is.
    :param id: Its id.
    :param created: When it was made, in microseconds.
    :param updated: When it was last changed, in microseconds.
    :param attributes: Its attributes, times of making and change left out.
    :param related: Ids of related resources, by the relationship's name.
    """

    kind: Kind
    id: str
    created: int
    updated: int
    attributes: Json
    related: Mapping[str, list[str]] = field(default_factory=dict)


def make(
    state: KlaviyoState, kind: Kind, attributes: Json, *, identity: str | None = None, related: Mapping[str, list[str]] | None = None
) -> Resource:
    """
    Store a new resource.

    :param state: The account.
    :param kind: What it is.
    :param attributes: Its attributes.
    :param identity: Its id; six characters, where left out.
    :param related: Ids of related resources, by the relationship's name.
    """
    now = state.now()
    made = Resource(kind, identity or token(6), now, now, attributes, related or {})
    state.db.execute("INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?)", _row(made))
    return made


def change(
    state: KlaviyoState, resource: Resource, attributes: Json | None = None, *, related: Mapping[str, list[str]] | None = None
) -> Resource:
    """
    Store a resource with some attributes changed.

    :param state: The account.
    :param resource: As it was.
    :param attributes: What changes.
    :param related: Relationships that change.
    """
    changed = replace(
        resource,
        updated=state.now(),
        attributes={**resource.attributes, **(attributes or {})},
        related={**resource.related, **(related or {})},
    )
    state.db.execute("REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?)", _row(changed))
    return changed


def remove(state: KlaviyoState, resource: Resource) -> None:
    """Delete a resource."""
    state.db.execute("DELETE FROM resources WHERE kind = ? AND id = ?", (resource.kind.type, resource.id))


def find(state: KlaviyoState, kind: Kind, identity: str) -> Resource | None:
    """Return a resource, or ``None``."""
    row = state.db.execute(f"SELECT {COLUMNS} FROM resources r WHERE r.kind = ? AND r.id = ?", (kind.type, identity)).fetchone()  # noqa: S608 - our own names
    return _resource(kind, row) if row else None


def load(state: KlaviyoState, kind: Kind, identity: str) -> Resource:
    """
    Return a resource.

    :raises Refused: 404.
    """
    found = find(state, kind, identity)
    if found is None:
        raise not_found(f"{kind.noun} with id '{identity}' does not exist")
    return found


def every(state: KlaviyoState, kind: Kind) -> list[Resource]:
    """Return all resources of a kind, oldest first."""
    sql = f"SELECT {COLUMNS} FROM resources r WHERE r.kind = ? ORDER BY r.created, r.id"  # noqa: S608 - our own names
    return [_resource(kind, row) for row in state.db.execute(sql, (kind.type,)).fetchall()]


def page(
    call: Call, kind: Kind, *, keep: Callable[[Resource], bool] | None = None, sort: str = "id"
) -> tuple[list[Resource], list[Any] | None]:
    """
    Read one page of a kind, as the call filters and sorts.

    A filter compares with the attribute of its name; with ``id`` and the times of making and change, too. What it calls ``ids`` is the
    id, and ``item.id`` are those of the relationship ``item``.

    :param call: The request.
    :param kind: What is read.
    :param keep: Which of them, beside the filter.
    :param sort: What it is sorted by where the call does not say, with ``-`` before it to have the largest first.
    :returns: The resources, and where the next page starts.
    """
    types = call.operation.filter_types
    passing = [
        each.id
        for each in every(call.state, kind)
        if (keep is None or keep(each)) and all(filters.matches(term, _value(each, term.field, types)) for term in call.query.terms)
    ]
    where = Where()
    where.add("r.kind = ?", kind.type)
    where.add("r.created <= ?", call.state.listed_until())
    where.among("r.id", passing)
    rows, following = read_page(
        call,
        source="resources r",
        columns=COLUMNS,
        where=where,
        key=_column(kind, call.query.sort or sort.removeprefix("-")),
        identifier="r.id",
        descending=call.query.descending if call.query.sort else sort.startswith("-"),
    )
    return [_resource(kind, row) for row in rows], following


def show(call: Call, resource: Resource, *, written: bool = False, data: Collection[str] = (), **attributes: Any) -> Json:
    """
    Return a resource as Klaviyo shows it.

    :param call: The request: its fields, and the relationships it includes.
    :param resource: The resource.
    :param written: Whether it was changed just now, when times are told more exactly.
    :param data: Relationships whose identifiers are shown although they are not included.
    :param attributes: Attributes to show in place of the stored ones, or beside them.
    """
    kind, told = resource.kind, iso if written else iso_seconds
    moments = {name: told(at) for name, at in zip(kind.times, (resource.created, resource.updated), strict=True) if name}
    shown = {**resource.attributes, **moments, **attributes}
    identifiers = {name: _identifiers(resource, name) for name in kind.relations if name in data or name in call.query.include}
    return documents.resource(
        call.base,
        kind.type,
        resource.id,
        documents.pick(shown, call.fields(kind.type)),
        data=identifiers,
        path=kind.path,
        related=kind.relations,
    )


def _identifiers(resource: Resource, name: str) -> Any:
    relation = resource.kind.relations[name]
    found = [documents.identity(relation.type, each) for each in resource.related.get(name, ())]
    return found if relation.many else (found[0] if found else None)


def _value(resource: Resource, name: str, types: Mapping[str, str]) -> Any:
    """Return what a filter compares with."""
    if name in resource.kind.times:
        return moment((resource.created, resource.updated)[resource.kind.times.index(name)])
    related = {name: {"id": ids} for name, ids in resource.related.items()}
    value: Any = {"id": resource.id, "ids": resource.id, **related, **resource.attributes.get(resource.kind.within, resource.attributes)}
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return datetime.fromisoformat(value) if isinstance(value, str) and types.get(name) == "date-time" else value


def _column(kind: Kind, name: str) -> str:
    """Return what SQL sorts by."""
    if name in kind.times:
        return ("r.created", "r.updated")[kind.times.index(name)]
    path = f"{kind.within}.{name}" if kind.within else name
    return "r.id" if name == "id" else f"coalesce(json_extract(r.attributes, '$.{path}'), '')"


def _row(resource: Resource) -> tuple[Any, ...]:
    texts = (json.dumps(each, ensure_ascii=False) for each in (resource.attributes, dict(resource.related)))
    return resource.kind.type, resource.id, resource.created, resource.updated, *texts


def _resource(kind: Kind, row: Any) -> Resource:
    identity, created, updated, attributes, related = row
    return Resource(kind, identity, created, updated, json.loads(attributes), json.loads(related))
