# SPDX-License-Identifier: Apache-2.0
"""
Make ``api/operations.json`` from Klaviyo's published contract, which lies beside the clone.

The operations, their scopes and rates are those of the newest revision; page sizes, sort fields and filters, which only
the older specification names, are joined to it by method and path.

Run ``python tests/contract/generate_limits.py`` after the contract changed; a test compares the committed file with it.
"""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT.parent / "shared" / "contract"
TARGET = ROOT / "airflow_provider_klaviyo" / "api" / "operations.json"

NEWEST = "klaviyo-operations-2026-10-15.csv"
SPECIFICATION = "klaviyo-openapi-2026-07-15.json.gz"


def generate(contract: Path) -> str:
    """
    Return the text of ``operations.json``: one operation a line, by id, so that a change reads well in a diff.

    :param contract: The folder that holds Klaviyo's contract.
    """
    specified = _specified(contract / SPECIFICATION)
    with (contract / NEWEST).open(newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["operationId"])
    lines = (_line(row, specified.get((row["method"], row["path"]), {})) for row in rows)
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _line(row: dict[str, str], specified: dict[str, Any]) -> str:
    operation = {
        "id": row["operationId"],
        "method": row["method"],
        "path": row["path"],
        "scopes": row["scopes"].split(),
        "burst": _rate(row["burst"], "s"),
        "steady": _rate(row["steady"], "m"),
        "daily": _rate(row["daily"], "d"),
        "max_page_size": int(row["max_page_size"]) if row["max_page_size"] else specified.get("max_page_size"),
        "default_page_size": specified.get("default_page_size"),
        "sortable": specified.get("sortable"),
        "filters": specified.get("filters"),
    }
    known = {key: value for key, value in operation.items() if value}
    return json.dumps(known, separators=(",", ":"))


def _rate(text: str, unit: str) -> int | None:
    """Read ``75/s`` as 75."""
    if not text:
        return None
    count, found = text.split("/")
    if found != unit:
        message = f"expected a rate per {unit}, found {text}"
        raise ValueError(message)
    return int(count)


def _specified(path: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Read what only the specification says, by method and path."""
    with gzip.open(path) as file:
        paths = json.load(file)["paths"]
    return {
        (method.upper(), template): _listing(operation)
        for template, operations in paths.items()
        for method, operation in operations.items()
        if method != "parameters"
    }


def _listing(operation: dict[str, Any]) -> dict[str, Any]:
    schemas = {each["name"]: each["schema"] for each in operation.get("parameters", []) if "schema" in each}
    size, order = schemas.get("page[size]", {}), schemas.get("sort", {})
    return {
        "max_page_size": size.get("maximum"),
        "default_page_size": size.get("default"),
        "sortable": sorted({field.removeprefix("-") for field in order.get("enum", [])}),
        "filters": {
            field: sorted({name for names in rule["operators"].values() for name in names})
            for field, rule in sorted(operation.get("x-klaviyo-filters", {}).items())
        },
    }


if __name__ == "__main__":
    TARGET.write_text(generate(CONTRACT), encoding="utf-8")
