# SPDX-License-Identifier: Apache-2.0
"""``/client``: what a browser may do with the public key. The answer is empty, and what was accepted shows at the profile alone."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from airflow_provider_klaviyo.sandbox.klaviyo import checks, events, later, people, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict, document, one_of, parse
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.consent_bodies import YesTo, channels
from airflow_provider_klaviyo.sandbox.klaviyo.database import to_micros
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, not_found

Json = dict[str, Any]
WHO = "/data/attributes/profile/data"
MARKETING = {"email": "email", "phone_number": "sms"}
"""The channels of who names none."""


class Who(Strict):
    """The profile it is about, to be checked as such."""

    data: Json


class Subscription(Strict):
    """Attributes of a subscription."""

    profile: Who
    custom_source: str | None = None


class ToList(Strict):
    """The list that is subscribed to."""

    list: one_of("list")  # type: ignore[valid-type]


class BackInStock(Strict):
    """Attributes of a wish to hear that something is back."""

    channels: Annotated[list[Literal["EMAIL", "PUSH", "SMS", "WHATSAPP"]], Field(min_length=1)]
    profile: Who


class OfVariant(Strict):
    """What should be back."""

    variant: one_of("catalog-variant")  # type: ignore[valid-type]


SUBSCRIPTION = document("subscription", Subscription, relationships=ToList, needed=True)
BACK_IN_STOCK = document("back-in-stock-subscription", BackInStock, relationships=OfVariant, needed=True)

answers("create_client_event")(events.create_event)


@answers("create_client_profile")
def create_client_profile(call: Call) -> Answer:
    """Make or change a profile."""
    problems: list[Problem] = []
    if checks.keys(call.body, "", problems, required=("data",)):
        checks.profile(call.body["data"], "/data", problems, attributes=checks.EVENT_PROFILE)
    call.refuse(problems)
    _upsert(call, call.body["data"])
    return Answer(202)


@answers("create_client_subscription")
def create_client_subscription(call: Call) -> Answer:
    """Subscribe a profile to a list, as a bulk of one would."""
    data = parse(call, SUBSCRIPTION)
    row = _who(call, data, {**checks.PROFILE, "subscriptions": _consents})
    given = row["attributes"]
    views.load_list(call, data.relationships.list.data.id)
    named = {name: given[name] for name in MARKETING if given.get(name)}
    if not named:
        call.refuse([Problem("One of email and phone_number is required.", f"{WHO}/attributes")])
    said: list[tuple[str, str, int | None]] = [(MARKETING[name], "marketing", None) for name in named]
    if chosen := given.pop("subscriptions", None):
        dated = [(medium, kind, getattr(each, "consented_at", None)) for medium, kind, each in channels(_yes(chosen))]
        said = [(medium, kind, to_micros(at) if at else None) for medium, kind, at in dated]
    who = {"id": _upsert(call, row), "named": named, "said": said}
    later.enqueue(
        call.state,
        "subscribe",
        {"rows": [who], "list": data.relationships.list.data.id, "source": data.attributes.custom_source, "historical": False},
    )
    return Answer(202)


@answers("create_client_back_in_stock_subscription")
def create_client_back_in_stock_subscription(call: Call) -> Answer:
    """Take the wish to hear that a variant is back; nothing shows it but that the profile is there."""
    row = _who(call, parse(call, BACK_IN_STOCK), {name: checks.PROFILE[name] for name in ("email", "phone_number", "external_id")})
    _upsert(call, row)
    return Answer(202)


def _who(call: Call, data: Any, attributes: dict[str, checks.Check]) -> Json:
    """Return the profile of a subscription, checked."""
    problems: list[Problem] = []
    row: Json = data.attributes.profile.data
    checks.profile(row, WHO, problems, attributes=attributes)
    call.refuse(problems)
    return row


def _upsert(call: Call, row: Json) -> str:
    """Make or change a profile; an identifier that one who is there has not yet is left out, as Klaviyo does for browsers."""
    held = people.holders(call.state.db, people.identifiers(row["attributes"]))
    if held:
        kept = {name: value for name, value in row["attributes"].items() if name in held or name not in people.COLUMNS}
        row = {**row, "attributes": kept}
    with call.state.transaction():
        try:
            return people.upsert(call.state, row, call.state.now(), lenient=True)[0]
        except people.Unknown:
            raise not_found(f"A profile with id {row['id']} does not exist.") from None


def _yes(value: Any) -> YesTo:
    return YesTo.model_validate_json(json.dumps(value))


def _consents(value: Any) -> str:
    """Say what is wrong with the channels of a subscription, ``""`` for nothing."""
    try:
        _yes(value or {})
    except ValidationError:
        return "Expected channels, each with the consent SUBSCRIBED."
    return ""
