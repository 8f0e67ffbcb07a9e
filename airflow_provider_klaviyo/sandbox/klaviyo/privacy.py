# SPDX-License-Identifier: Apache-2.0
"""``/api/data-privacy-deletion-jobs``: everything about a person goes for good."""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.klaviyo import later, people, views
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict, document, parse
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.consent_bodies import Email, Phone
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]


class Person(Strict):
    """What somebody is known by."""

    email: Email | None = None
    phone_number: Phone | None = None


class Resource(Strict):
    """Somebody, as a resource."""

    type: Literal["profile"]
    id: str | None = None
    attributes: Person


class Profile(Strict):
    """Whom it is about."""

    data: Resource


class Deletion(Strict):
    """The attributes of the request."""

    profile: Profile


DELETE = document("data-privacy-deletion-job", Deletion)


@answers("request_profile_deletion")
def request_profile_deletion(call: Call) -> Answer:
    """Accept to delete who has an identifier, whether there is anybody or not; an id has to be somebody's."""
    person = parse(call, DELETE).attributes.profile.data
    given = {"id": person.id, "email": person.attributes.email, "phone_number": person.attributes.phone_number}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) != 1:
        detail = "Exactly one of the following identifiers is required: email, phone_number, id."
        call.refuse([Problem(detail, "/data/attributes/profile/data")])
    if person.id is not None:
        views.load_profile(call, person.id)
    later.enqueue(call.state, "delete", given)
    return Answer(202)


@later.works("delete")
def _delete(state: KlaviyoState, given: Json) -> None:
    found = [given["id"]] if "id" in given else people.holders(state.db, people.identifiers(given)).values()
    for each in found:
        people.delete(state.db, each)
