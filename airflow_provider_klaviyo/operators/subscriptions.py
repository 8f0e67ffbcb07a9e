# SPDX-License-Identifier: Apache-2.0
"""Operators for what people agreed to, and for addresses that get no marketing. A module of its own, as the scope ``subscriptions`` is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_klaviyo.api import lists, profiles, subscriptions
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.filters import any_
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.jsonapi import Fields, Listing
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal, in_doubt
from airflow_provider_klaviyo.operators.jobs import JobOperator
from airflow_provider_klaviyo.operators.listing import in_large_pages
from airflow_provider_klaviyo.operators.portions import PortionsOperator, portions

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session

LIFTED = ("UNSUBSCRIBE", "SPAM_COMPLAINT", "USER_SUPPRESSED")
"""Suppressions that subscribing takes away."""
LONGEST_FILTER = 3_000
"""Characters of the identifiers in a filter, which is part of an address."""


class KlaviyoSubscribeProfilesOperator(PortionsOperator):
    """
    Subscribe people to marketing.

    It takes back what they did against it before: unsubscribing, complaints, suppressions by hand. So it is sent once. After a
    try whose outcome is not known, the next reads everybody back: it is done if all are subscribed, and in the list; otherwise
    ``KlaviyoInDoubt`` says so, for Klaviyo carries it out only some minutes after it has accepted it, and shows no job.

    https://developers.klaviyo.com/en/reference/bulk_subscribe_profiles

    :param profiles: Who: ``email`` for e-mail, ``phone_number`` for the other channels, and where they are needed ``channels`` in
        place of the operator's, ``consented_at``, ``age_gated_date_of_birth``, and Klaviyo's ``id``. More than 1,000 go in several requests.
    :param channels: What to: ``email.marketing``, ``sms.marketing``, ``sms.transactional``, ``whatsapp.marketing``, ``whatsapp.transactional``.
    :param list_id: The list to put them in. Its opt-in process decides whether they have to confirm; without a list the account's does.
    :param historical_import: Whether consent was given long ago: nobody has to confirm it, no flow of the list starts, and each
        profile has a ``consented_at`` in the past.
    :param custom_source: Where the consent comes from, in your words.
    :return: How many profiles Klaviyo was asked to subscribe.
    """

    profiles: Personal[Sequence[Mapping[str, Any]]]
    channels: Sequence[subscriptions.Channel] = ("email.marketing",)
    list_id: str | None = None
    historical_import: bool = False
    custom_source: str | None = None

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests from the rendered fields."""

        def request(some: Sequence[Mapping[str, Any]]) -> Request[Json]:
            return subscriptions.subscribe(
                profiles=some,
                channels=self.channels,
                list_id=self.list_id,
                historical_import=self.historical_import,
                custom_source=self.custom_source,
            )

        return portions(self.profiles, subscriptions.MOST_SUBSCRIBED, request)

    def execute(self, context: Context) -> int:
        """Send the requests, and return how many people they are about."""
        journal, requests = Journal(context), list(self.requests())
        with self.hook.session() as klaviyo:
            self.send_all(klaviyo, requests, journal)
        journal.close()
        return len(self.profiles)

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Read everybody back: it is done where all are subscribed now."""
        rows = _rows(request)
        found = _found(klaviyo, rows, self.list_id, additional_fields={"profile": ["subscriptions"]})
        return _decided(self, request, journal, [_subscribed(row, found.get(_key(row))) for row in rows])


class KlaviyoUnsubscribeProfilesOperator(PortionsOperator):
    """
    Unsubscribe people from marketing, or from one list.

    With a list, Klaviyo unsubscribes those who are not in it *everywhere*. So membership is read before anything is sent, and
    such a request is sent once: the second would meet nobody in the list any more. After a try whose outcome is not known, the
    next looks whether all have left the list; otherwise ``KlaviyoInDoubt`` says so. To take people out of a list and leave
    their consent as it is, there is ``KlaviyoRemoveProfilesFromListOperator``.

    https://developers.klaviyo.com/en/reference/bulk_unsubscribe_profiles
    https://developers.klaviyo.com/en/reference/get_profiles_for_list

    :param profiles: Who: ``email`` for e-mail, ``phone_number`` for the other channels, and where they are needed ``channels`` in
        place of the operator's. More than 100 go in several requests. Who is unknown becomes a profile.
    :param channels: What from: those of subscribing, and ``whatsapp.conversational``.
    :param list_id: The list they leave; without, they are unsubscribed everywhere.
    :param not_in_list: What to do with those who are not in the list. ``fail``: nothing is sent. ``skip``: they are left out.
        ``unsubscribe_everywhere``: what Klaviyo does.
    :return: How many profiles Klaviyo was asked to unsubscribe.
    """

    profiles: Personal[Sequence[Mapping[str, Any]]]
    channels: Sequence[subscriptions.LeftChannel] = ("email.marketing",)
    list_id: str | None = None
    not_in_list: Literal["fail", "skip", "unsubscribe_everywhere"] = "fail"

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests for all profiles from the rendered fields."""
        return self._requests(self.profiles)

    def execute(self, context: Context) -> int:
        """Look who is in the list, send the requests, and return how many people they are about."""
        journal, requests = Journal(context), list(self.requests())
        with self.hook.session() as klaviyo:
            left_out = self._left_out(klaviyo, requests, journal)
            chosen = [each for position, each in enumerate(self.profiles) if position not in left_out]
            self.send_all(klaviyo, list(self._requests(chosen)), journal)
        journal.close()
        return len(chosen)

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Look whether all have left the list."""
        rows = _rows(request)
        members = _found(klaviyo, rows, self.list_id)
        return _decided(self, request, journal, [_key(row) not in members for row in rows])

    def _requests(self, people: Sequence[Mapping[str, Any]]) -> Iterator[Request[Json]]:
        def request(some: Sequence[Mapping[str, Any]]) -> Request[Json]:
            return subscriptions.unsubscribe(profiles=some, channels=self.channels, list_id=self.list_id)

        return portions(people, subscriptions.MOST_UNSUBSCRIBED, request)

    def _left_out(self, klaviyo: Session, requests: Sequence[Request[Json]], journal: Journal) -> frozenset[int]:
        """Return the positions of those who are not in the list. They are found once: an earlier try has begun to empty it."""
        if not self.list_id or self.not_in_list == "unsubscribe_everywhere":
            return frozenset()
        asked = sha256("".join(map(self.digest, requests)).encode()).hexdigest()[:16]
        if journal.get("asked") == asked:
            return frozenset(journal.get("left_out") or ())
        rows = [row for request in requests for row in _rows(request)]
        members = _found(klaviyo, rows, self.list_id)
        missing = [position for position, row in enumerate(rows) if _key(row) not in members]
        if missing and self.not_in_list == "fail":
            raise KlaviyoConfigError(
                f"{len(missing):,} of {len(rows):,} profiles are not in the list {self.list_id}, the first at position {missing[0]}: Klaviyo"
                " would unsubscribe them everywhere. Leave them out, or say with not_in_list what to do with them"
            )
        if missing:
            self.log.warning("%s of %s profiles are not in the list: they are left out, as not_in_list says.", len(missing), len(rows))
        journal.write(asked=asked, left_out=missing)
        return frozenset(missing)


class SuppressionOperator(JobOperator):
    """
    Start jobs about addresses that get no e-mail marketing.

    :param emails: The addresses; more than 100 are several jobs.
    :param list_id: In place of addresses, the list whose members they are.
    :param segment_id: In place of addresses, the segment whose members they are.
    :return: ``jobs`` (ids), ``total``, ``completed``, ``failed``, ``skipped``: addresses there was nothing to do for.
    """

    portion: ClassVar[Callable[..., Request[Json]]]
    """The endpoint."""

    emails: Personal[Sequence[str] | None] = None
    list_id: str | None = None
    segment_id: str | None = None

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests from the rendered fields."""
        if self.emails is None or self.list_id or self.segment_id:
            return iter([type(self).portion(emails=self.emails, list_id=self.list_id, segment_id=self.segment_id)])
        return portions(self.emails, subscriptions.MOST_SUPPRESSED, lambda emails: type(self).portion(emails=emails))

    def summary(self, found: Sequence[Job]) -> Json:
        """Return the jobs' ids and the sum of their counts."""
        counted = {name: sum(getattr(job, name) for job in found) for name in ("total", "completed", "failed", "skipped")}
        return {"jobs": [job.id for job in found], **counted}


class KlaviyoSuppressProfilesOperator(SuppressionOperator):
    """
    Send people no e-mail marketing, whatever they agreed to. An address that is unknown becomes a profile.

    https://developers.klaviyo.com/en/reference/bulk_suppress_profiles
    https://developers.klaviyo.com/en/reference/get_bulk_suppress_profiles_job
    """

    kind: ClassVar[Kind] = "profile-suppression-bulk-create"
    portion = staticmethod(subscriptions.suppress)


class KlaviyoUnsuppressProfilesOperator(SuppressionOperator):
    """
    Take suppressions by hand back. Who unsubscribed, complained or bounced stays suppressed.

    https://developers.klaviyo.com/en/reference/bulk_unsuppress_profiles
    https://developers.klaviyo.com/en/reference/get_bulk_unsuppress_profiles_job
    """

    kind: ClassVar[Kind] = "profile-suppression-bulk-delete"
    portion = staticmethod(subscriptions.unsuppress)


def _rows(request: Request[Any]) -> list[Json]:
    """Return the people of a request, as resources."""
    return request.json["data"]["attributes"]["profiles"]["data"] if request.json else []


def _key(row: Json) -> str:
    """Return what somebody is found by."""
    return str(row["attributes"].get("email") or row["attributes"]["phone_number"]).lower()


def _found(klaviyo: Session, rows: Sequence[Json], list_id: str | None, additional_fields: Fields | None = None) -> dict[str, Json]:
    """Return the attributes of those who are there, or in the list, by what they are found by."""
    found: dict[str, Json] = {}
    asked: Listing = {"fields": {"profile": ["email", "phone_number"]}, "additional_fields": additional_fields}
    keys = list(dict.fromkeys(map(_key, rows)))
    for name, named in (("email", [each for each in keys if "@" in each]), ("phone_number", [each for each in keys if "@" not in each])):
        for some in _filterable(named):
            asked["filter"] = any_(name, some)
            request = profiles.list_(**asked) if list_id is None else lists.profiles(list_id=list_id, **asked)
            for each in klaviyo.walk(in_large_pages(request)):
                found[str(each["attributes"][name]).lower()] = each["attributes"]
    return found


def _filterable(keys: Sequence[str]) -> Iterator[list[str]]:
    """Yield identifiers, as many at once as a filter can hold."""
    some: list[str] = []
    length = 0
    for key in keys:
        if some and length + len(key) > LONGEST_FILTER:
            yield some
            some, length = [], 0
        some.append(key)
        length += len(key)
    if some:
        yield some


def _subscribed(row: Json, shown: Json | None) -> bool:
    """Say whether somebody has said yes to all a request asks for, and nothing they did is against it."""
    if shown is None:
        return False
    for medium, kinds in row["attributes"]["subscriptions"].items():
        for kind in kinds:
            told = ((shown["subscriptions"].get(medium) or {}).get(kind)) or {}
            if told.get("consent") != "SUBSCRIBED" or any(each["reason"] in LIFTED for each in told.get("suppression") or ()):
                return False
    return True


def _decided(operator: KlaviyoOperator, request: Request[Any], journal: Journal, done: Sequence[bool]) -> Json:
    """Return the answer that a request would have had, where all of it is seen to be done."""
    if all(done):
        return {}
    operator.log.warning("%s of %s profiles are as the request would have made them.", sum(done), len(done))
    raise in_doubt(request, journal)
