# SPDX-License-Identifier: Apache-2.0
"""
Make ``api/operations.json`` from Klaviyo's published contract, which lies beside the clone, and from its official SDK.

Revision 2026-10-15 has no published specification. Its operations, scopes and rates are in the contract's table; the SDK's
methods say what a query may hold, and in words which filters it takes. The words of ``sort``, ``include`` and
``additional-fields`` stand in the specification of July alone, which holds for every operation whose query did not change.
``/client`` operations are July's: the SDK leaves them out.

Run ``python -m tests.contract.generate_limits`` after the contract or the SDK changed; a test compares the committed file with it.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from enum import EnumType
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from tests.contract import july, sdk

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "airflow_provider_klaviyo" / "api" / "operations.json"
NEWEST = ROOT.parent / "shared" / "contract" / "klaviyo-operations-2026-10-15.csv"

NAMED = {"filter", "include", "sort", "page[size]", "page[cursor]"}
FILTER = re.compile(r'\n {8}filter: Annotated\[(Optional\[)?StrictStr\]?, Field\(description="([^"]*)"')
FILTER_FIELD = re.compile(r"`([^`]+)`: ((?:`[^`]+`(?:, )?)+)(?: \((.*)\))?")
QUOTED = re.compile(r"`'?([^`']+)'?`")
SIZES = re.compile(r"Default: (\d+)\. Min: 1\. Max: (\d+)\.")

#: What was words of Klaviyo's beta in July became revision 2026-10-15, and no source of that has them.
BETA: Mapping[tuple[str, str], list[str]] = {
    ("get_campaign_messages", "sort"): ["created", "id", "name", "status", "updated"],
    ("get_campaigns", "sort"): ["created_at", "id", "name", "updated_at"],
    ("get_text_messaging_senders", "sort"): ["created_at"],
    ("get_translations", "sort"): ["id"],
    ("create_translation", "additional-fields[translation]"): ["values"],
    ("get_translation", "additional-fields[translation]"): ["values"],
    ("update_translation", "additional-fields[translation]"): ["values"],
}


def generate() -> str:
    """Return the text of ``operations.json``: one operation a line, by id, so that a change reads well in a diff."""
    entries = sorted([*_newest(), *_client()], key=lambda entry: str(entry["id"]))
    lines = (json.dumps({key: value for key, value in each.items() if value}, separators=(",", ":")) for each in entries)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def available() -> bool:
    """Say whether there is a contract to make it from."""
    return NEWEST.exists() and july.available()


def _newest() -> Iterator[Json]:
    """Yield the operations of the newest revision."""
    with NEWEST.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        operation = sdk.operations()[row["operationId"]]
        yield {
            "id": operation.id,
            "method": operation.method,
            "path": operation.path,
            "scopes": row["scopes"].split(),
            **_rates({"burst": row["burst"], "steady": row["steady"], "daily": row["daily"]}),
            **_query(operation.params, {name: _words(operation, name) for name in operation.params}),
            **_sizes(SIZES.search(operation.text)),
            **_filters_in_words(operation.text),
        }


def _client() -> Iterator[Json]:
    """Yield the operations that go by the public key, but for the one that the newest revision's table has."""
    known = {(each.method, each.path) for each in sdk.operations().values()}
    for path, methods in july.specification()["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/client/") and (method.upper(), path) not in known:
                schemas = _schemas(operation)
                yield {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    **_rates(operation["x-klaviyo-ratelimit"]),
                    **_query(schemas, {name: _enumerated(schema) for name, schema in schemas.items()}),
                    **_sizes(SIZES.search(json.dumps(operation["parameters"]))),
                    **_filters(operation.get("x-klaviyo-filters", {})),
                }


def _rates(texts: Mapping[str, str]) -> Json:
    """Read ``75/s`` as 75."""
    counts: Json = {}
    for name, unit in (("burst", "s"), ("steady", "m"), ("daily", "d")):
        count, _, found = texts.get(name, "").partition("/")
        if found not in {"", unit}:
            message = f"expected a rate per {unit}, found {found}"
            raise ValueError(message)
        counts[name] = int(count or 0)
    return counts


def _sizes(found: re.Match[str] | None) -> Json:
    return {"max_page_size": int(found[2]), "default_page_size": int(found[1])} if found else {}


def _query(params: Iterable[str], words: Mapping[str, list[str]]) -> Json:
    """Sort the parameters of a query."""
    families = {name: name.partition("[") for name in sorted(params)}
    return {
        "paged": "page[cursor]" in families,
        "sortable": words.get("sort"),
        "fields": [kind.rstrip("]") for family, _, kind in families.values() if family == "fields"],
        "include": words.get("include"),
        "additional_fields": {
            kind.rstrip("]"): words[name] for name, (family, _, kind) in families.items() if family == "additional-fields"
        },
        "params": [name for name, (family, *_) in families.items() if name not in NAMED and family not in {"fields", "additional-fields"}],
    }


def _words(operation: sdk.Operation, name: str) -> list[str]:
    """Return the words that a parameter of the newest revision takes, none where it takes any."""
    specified = july.operation(operation.method, operation.path)
    schemas = _schemas(specified) if specified else {}
    if name == "include" and schemas.keys() != operation.params:
        return sorted(_relationships(operation))
    return BETA.get((operation.id, name)) or _enumerated(schemas.get(name, {}))


def _relationships(operation: sdk.Operation) -> Iterator[str]:
    """Yield the relationships of what is answered, if they lead to types whose fields may be chosen: those can be included."""
    types = {name.partition("[")[2].rstrip("]") for name in operation.params if name.startswith("fields[")}
    (document,) = (sdk.model(name) for name in operation.answers.values() if name)
    for relationships in _models(document, "data", "relationships"):
        for name, each in relationships.model_fields.items():
            kinds = [kind.value for one in _models(relationships, name, "data") for kind in one.model_fields["type"].annotation]
            if types.intersection(kinds):
                yield each.alias or name


def _models(model: type[BaseModel], *names: str) -> list[Any]:
    """Return the models that fields lead to, one after the other."""
    found = [model]
    for name in names:
        found = [each for one in found if name in one.model_fields for each in _within(one.model_fields[name].annotation)]
    return found


def _within(annotation: Any) -> Iterator[Any]:
    """Yield the models and enumerations in an annotation."""
    if isinstance(annotation, EnumType) or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        yield annotation
    for each in get_args(annotation):
        yield from _within(each)


def _schemas(operation: Json) -> Mapping[str, Json]:
    """Return what the specification says of the parameters of a query."""
    return {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}


def _enumerated(schema: Json) -> list[str]:
    words = schema.get("items", schema).get("enum", [])
    return sorted({word.removeprefix("-") for word in words})


def _filters_in_words(text: str) -> Json:
    """Read a method's sentences about its filter, such as ```status`: `any`, `equals` (string)``."""
    described = FILTER.search(text)
    lines = described[2].split("<br>")[2:] if described else []
    fields = [found.groups() for found in map(FILTER_FIELD.fullmatch, lines) if found]
    if len(fields) != len(lines):
        message = f"some of these lines cannot be read: {lines}"
        raise ValueError(message)
    return {
        "filters": {field: sorted(QUOTED.findall(operators)) for field, operators, _ in sorted(fields)},
        "filter_types": {field: "string" if "`" in kind else kind for field, _, kind in sorted(fields) if kind},
        "filter_words": {field: QUOTED.findall(kind) for field, _, kind in sorted(fields) if kind and "`" in kind},
        "filter_required": bool(described and not described[1]),
    }


def _filters(rules: Mapping[str, Json]) -> Json:
    """Read what the specification says about a filter."""
    values = {field: rules[field].get("value", {}) for field in sorted(rules)}
    return {
        "filters": {field: sorted({name for names in rules[field]["operators"].values() for name in names}) for field in values},
        "filter_types": {field: value.get("format", value["type"]) for field, value in values.items() if value},
        "filter_words": {field: value["enum"] for field, value in values.items() if "enum" in value},
    }


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
