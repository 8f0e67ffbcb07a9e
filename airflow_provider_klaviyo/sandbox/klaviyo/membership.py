# SPDX-License-Identifier: Apache-2.0
"""Who is in a list or a segment, page by page."""

from __future__ import annotations

from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import views
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call
from airflow_provider_klaviyo.sandbox.klaviyo.documents import identity
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page

Page = tuple[list[tuple[Any, ...]], list[Any] | None]


def profiles(call: Call, members: str, where: Where) -> Answer:
    """
    List members' profiles.

    :param call: The request.
    :param members: The table of members, or a query in brackets: ``profile_id``, ``list_id`` and ``joined``, known as ``m``.
    :param where: Which of them.
    """
    rows, following = _page(call, f"m.joined, {views.PROFILE}", members, where)
    return Answer(200, call.page([views.profile(call, row, joined=joined) for joined, *row in rows], following))


def ids(call: Call, members: str, where: Where) -> Answer:
    """List members' ids; the parameters are those of :func:`profiles`."""
    rows, following = _page(call, "p.id", members, where)
    return Answer(200, call.page([identity("profile", row[0]) for row in rows], following))


def _page(call: Call, columns: str, members: str, where: Where) -> Page:
    for term in call.query.terms:
        match term.field:
            case "joined_group_at":
                where.moment("m.joined", term)
            case "email" | "phone_number":
                where.text(f"p.{term.field}", term, lower=term.field == "email")
            case "profile_id":
                where.text("p.id", term)
            case _:
                where.add("0")  # nobody has a push token, nobody was tracked
    source = f"{members} m JOIN profiles p ON p.id = m.profile_id"
    return read_page(
        call, source=source, columns=columns, where=where, key="m.joined", identifier="m.profile_id", descending=call.query.descending
    )
