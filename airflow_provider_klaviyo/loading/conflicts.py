# SPDX-License-Identifier: Apache-2.0
"""Rows whose identifiers belong to several people: to whom, so that somebody can mend it. A load never merges people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.api.filters import any_
from airflow_provider_klaviyo.loading.rows import Json

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

NAMES = ("email", "phone_number", "external_id")
"""Identifiers that profiles can be found by."""
AT_ONCE = 50


def told_of(code: str) -> bool:
    """Say whether an import error's code is about identifiers that belong to somebody else."""
    return "duplicate" in code or "conflict" in code


def holders(item: Json) -> dict[str, str]:
    """Return the identifiers of a row, by name."""
    attributes = item["attributes"]
    return {name: str(attributes[name]) for name in NAMES if attributes.get(name)} | ({"id": str(item["id"])} if item.get("id") else {})


def holders_of(session: Session, items: Mapping[int, Json]) -> dict[int, str]:
    """
    Return a sentence for each row whose identifiers belong to several profiles, which names those by their ids.

    :param session: Open session.
    :param items: The rows, as they were sent.
    """
    found: dict[tuple[str, str], str] = {}
    for name in NAMES:
        values = list(dict.fromkeys(value for item in items.values() if (value := holders(item).get(name))))
        for start in range(0, len(values), AT_ONCE):
            request = profiles.list_(filter=any_(name, values[start : start + AT_ONCE]), fields={"profile": [name]}, page_size=100)
            for each in session.walk(request):
                found[name, str(each["attributes"].get(name) or "").lower()] = str(each["id"])
    sentences = {}
    for at, item in items.items():
        held = {name: profile for name, value in holders(item).items() if (profile := found.get((name, value.lower())))}
        if len(set(held.values())) > 1:
            whose = " and ".join(f"its {name} to profile {profile}" for name, profile in held.items())
            sentences[at] = (
                f"its identifiers belong to several people: {whose}. Correct the row, merge the profiles in Klaviyo,"
                " or say identity_conflict='drop_phone'"
            )
    return sentences
