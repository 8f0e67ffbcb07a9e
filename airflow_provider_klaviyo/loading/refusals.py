# SPDX-License-Identifier: Apache-2.0
"""Whose fault it is that Klaviyo refused a whole request, and what goes in its place. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from airflow_provider_klaviyo.api.errors import Fault, KlaviyoApiError, KlaviyoError
from airflow_provider_klaviyo.loading.journal import HALVES, Batch
from airflow_provider_klaviyo.loading.lanes import SINGLE, Lane

TOO_MUCH = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY})
"""Answers that can be one row's fault."""
ABOUT_WHAT_IS_STAGED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT})
"""Answers that would come again however often the staged batches were sent: the list is gone, say."""
WHOLE = frozenset(
    {"", "/data", "/data/attributes", "/data/attributes/profiles", "/data/attributes/profiles/data", "/data/attributes/events-bulk-create"}
)
"""Pointers that name the rows as a whole and none of them."""
NOT_ROWS = frozenset({"authentication_failed", "not_authenticated", "permission_denied", "not_json"})
"""Codes that are no row's fault, whatever the status."""
BLIND_REFUSALS = 32
"""Refusals without a pointer and without one success between, after which it is not the rows."""
UNEXPLAINED = Fault("invalid", "Klaviyo refused the row without saying why")


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What follows from a refusal.

    :param rejected: The rows whose fault it was, by their place.
    :param parts: The places of the rows that go again, by the name of their batch.
    :param blind: Whether it named no row.
    """

    rejected: Mapping[int, Fault]
    parts: Mapping[str, Sequence[int]]
    blind: bool


def judge(error: KlaviyoApiError, batch: Batch, lane: Lane) -> Judgement:
    """
    Find whose fault a refusal is.

    Rows that are pointed at are rejected. Where none is, or where not all were, the batch is halved until the guilty rows
    stand alone; events go one by one instead, for each of them has an answer of its own then.

    :param error: The refusal.
    :param batch: What was refused.
    :param lane: How it was sent.
    """
    every = range(batch.rows)
    guilty = pointed_at(error, batch.rows, lane)
    reused = {at for at, fault in guilty.items() if lane.singly and _about_unique_id(fault)}
    blind = not guilty
    if blind and lane.singly:
        reused = set(every)
    elif blind and batch.rows == 1:
        guilty = {0: error.faults[0] if error.faults else UNEXPLAINED}
    rejected = {at: fault for at, fault in guilty.items() if at not in reused}
    rest = [at for at in every if at not in rejected and at not in reused]
    told_all = bool(guilty) and not batch.name.endswith(HALVES)  # a second refusal shows that the first told not all
    middle = len(rest) if told_all else len(rest) // 2
    # Three stand alone at once: that way one bad row of ten thousand is found with a request less.
    cuts = [[each] for each in rest] if not told_all and len(rest) == len(HALVES) else [rest[:middle], rest[middle:]]
    parts = {f"{batch.name}{letter}": part for letter, part in zip(HALVES, cuts, strict=False)} | {
        f"{SINGLE}-{batch.name}": sorted(reused),
    }
    return Judgement(rejected, {name: rows for name, rows in parts.items() if rows}, blind)


def pointed_at(error: KlaviyoApiError, rows: int, lane: Lane) -> dict[int, Fault]:
    """
    Return the rows that a refusal points at, each with the first of its faults.

    :param error: The refusal.
    :param rows: How many were sent.
    :param lane: How they were sent.
    """
    found: dict[int, Fault] = {}
    for fault in error.faults:
        match = lane.pointer.match(fault.pointer)
        if match and int(match[1]) < rows:
            found.setdefault(int(match[1]), fault)
    return found


def about_rows(error: KlaviyoApiError) -> bool:
    """Whether a refusal can be a row's fault; one that points at the list, say, cannot, nor can some proxy's page."""
    if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE and any(fault.code in NOT_ROWS for fault in error.faults):
        return False
    return all(fault.pointer.rstrip("/") in WHOLE and not fault.parameter for fault in error.faults)


def about_stage(error: KlaviyoError) -> bool:
    """Whether what is staged would be refused again, however often it was sent."""
    return (
        isinstance(error, KlaviyoApiError)
        and error.status in ABOUT_WHAT_IS_STAGED
        and not any(fault.code in NOT_ROWS for fault in error.faults)
    )


def in_a_row(error: KlaviyoApiError, refusals: int) -> KlaviyoApiError:
    """
    Return a refusal that says how many came before it without one success between, where they were several.

    :param error: The last of them.
    :param refusals: How many there were.
    """
    if refusals <= 1:
        return error
    first, *others = error.faults or (UNEXPLAINED,)
    said = f"{refusals} requests in a row were refused, none of them for a row that Klaviyo names, so it is not the rows. The last: {first.detail}"
    return replace(error, faults=(replace(first, detail=said), *others))


def _about_unique_id(fault: Fault) -> bool:
    return "unique_id" in fault.pointer or "unique_id" in fault.detail or "unique id" in fault.detail.lower()
