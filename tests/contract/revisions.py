# SPDX-License-Identifier: Apache-2.0
"""
What is not as Klaviyo's July specification says, in one place; a test shows of each entry that it is so.

Elsewhere both contracts hold: the official SDK's of 2026-10-15, which is the revision we send, and that specification, which
is older and says more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Part = Literal["query", "body", "answer"]


@dataclass(frozen=True)
class Change:
    """
    What 2026-10-15 changed in an operation.

    :param what: What it was, and what it is.
    :param parts: The parts that the SDK alone can judge since.
    """

    what: str
    parts: frozenset[Part]


AUDIENCES = "a campaign is a definition and audiences, its messages hold variations; before, it had one of each in its attributes"

CHANGED: Mapping[str, Change] = {
    "clone_campaign": Change(AUDIENCES, frozenset({"body", "answer"})),
    "create_campaign": Change(AUDIENCES, frozenset({"body", "answer"})),
    "create_coupon": Change("a coupon has an assigner_configuration", frozenset({"body"})),
    "get_campaign": Change(AUDIENCES, frozenset({"query", "answer"})),
    "get_campaigns": Change(AUDIENCES, frozenset({"query", "answer"})),
    "update_campaign": Change(AUDIENCES, frozenset({"body", "answer"})),
}

#: Statuses that Klaviyo was recorded to answer with, and that neither contract has.
ANSWERED: Mapping[str, int] = {"clone_template": 200, "delete_template": 200, "merge_profiles": 202, "render_template": 200}

#: What Klaviyo was recorded to answer with null, and the specification does not have so, by schema.
NULL: Mapping[str, frozenset[str]] = {"CollectionLinks": frozenset({"next", "prev"})}

#: What the SDK's models add to a body that leaves it out.
ADDED: Mapping[str, object] = {
    "backfill": False,
    "historical_import": False,
    "inventory_policy": 0,
    "is_starred": False,
    "page_size": 500,
    "published": True,
}
