# SPDX-License-Identifier: Apache-2.0
"""Operators for what people agreed to, and for addresses that get no marketing. A module of its own, as the scope ``subscriptions`` is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_klaviyo.api import subscriptions
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jobs import Job, Kind
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal, in_doubt
from airflow_provider_klaviyo.operators.jobs import JobOperator
from airflow_provider_klaviyo.operators.not_nothing import NotNothing
from airflow_provider_klaviyo.operators.portions import PortionsOperator, portions

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.loading.standing import Standing
    from airflow_provider_klaviyo.session import Session


class ConsentOperator(NotNothing, PortionsOperator):
    """
    Send requests about what people agreed to.

    :param list_id: The list it is about.
    """

    not_nothing: ClassVar[tuple[str, ...]] = ("list_id",)

    list_id: str | None = None


class KlaviyoSubscribeProfilesOperator(ConsentOperator):
    """
    Subscribe people to marketing.

    It would take back what they did against it before: unsubscribing, complaints, suppressions by hand, leaving any list. So they are
    looked for before anything is sent, and one who has said no fails the task unless ``resubscribe`` is said. And it is sent once: after a
    try whose outcome is not known, the next reads everybody back: it is done if all are subscribed, and in the list; otherwise
    ``KlaviyoInDoubt`` says so, for Klaviyo carries it out only some minutes after it has accepted it, and shows no job.

    https://developers.klaviyo.com/en/reference/bulk_subscribe_profiles
    https://developers.klaviyo.com/en/reference/get_profiles
    In a retry: https://developers.klaviyo.com/en/reference/get_profiles_for_list

    :param profiles: Who: ``email`` for e-mail, ``phone_number`` for the other channels, and where they are needed ``channels`` in
        place of the operator's, ``consented_at``, ``age_gated_date_of_birth``, and Klaviyo's ``id``. More than 1,000 go in several requests.
    :param channels: What to: ``email.marketing``, ``sms.marketing``, ``sms.transactional``, ``whatsapp.marketing``, ``whatsapp.transactional``.
    :param list_id: The list to put them in. Its opt-in process decides whether they have to confirm; without a list the account's does.
        One that was given and renders to nothing is refused.
    :param historical_import: Whether consent was given long ago: nobody has to confirm it, no flow of the list starts, and each
        profile has a ``consented_at`` in the past.
    :param resubscribe: Whether people may be subscribed who have said no: at all, or in a historical import at their ``consented_at`` or
        since.
    :param custom_source: Where the consent comes from, in your words.
    :return: How many profiles Klaviyo was asked to subscribe.
    """

    profiles: Personal[Sequence[Mapping[str, Any]]]
    channels: Sequence[subscriptions.Channel] = ("email.marketing",)
    historical_import: bool = False
    resubscribe: bool = False
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
            if not self.resubscribe:
                begun = journal.get("request") if journal.under_way else None
                self._respect(klaviyo, [each for each in self.due(requests, journal) if self.digest(each) != begun])
            self.send_all(klaviyo, requests, journal)
        journal.close()
        return len(self.profiles)

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Read everybody back: it is done where all are subscribed now."""
        from airflow_provider_klaviyo.loading.consent import ConsentRules, holds

        rules = ConsentRules(subscribe=True, list_id=self.list_id)
        words = _words(request, "subscribe")
        told = zip(words, _told(klaviyo, words, self.list_id), strict=True)
        return _decided(self, request, journal, [not each.foreign and holds(word, each, rules) for (_, word), each in told])

    def _respect(self, klaviyo: Session, requests: Sequence[Request[Json]]) -> None:
        """Refuse to subscribe who has said no since."""
        refused = 0
        for request in requests:
            words = _words(request, "subscribe")
            refused += len({at for (at, word), each in zip(words, _told(klaviyo, words), strict=True) if _is_against(word, each)})
        if refused:
            raise KlaviyoConfigError(
                f"{refused:,} profiles have unsubscribed, complained, been suppressed or left a list, and no later consented_at says that"
                " they agreed anew, or their id leads to somebody else: nothing is sent. Leave them out, or say resubscribe=True"
            )


class KlaviyoUnsubscribeProfilesOperator(ConsentOperator):
    """
    Unsubscribe people from marketing everywhere, or from the e-mails of one list.

    With a list, Klaviyo unsubscribes those who are not in it *everywhere*. So membership is read just before each request, which
    is about members alone, and is sent once: the second would meet nobody in the list any more. After a try whose outcome is not
    known, the next looks whether all have left the list; otherwise ``KlaviyoInDoubt`` says so.

    https://developers.klaviyo.com/en/reference/bulk_unsubscribe_profiles
    https://developers.klaviyo.com/en/reference/get_profiles
    https://developers.klaviyo.com/en/reference/get_profiles_for_list

    :param profiles: Who: ``email`` for e-mail, ``phone_number`` for the other channels, and where they are needed ``channels`` in
        place of the operator's. More than 100 go in several requests. Who is unknown becomes a profile, but for a list.
    :param channels: What from: those of subscribing, and ``whatsapp.conversational``. With a list, ``email.marketing`` alone.
    :param list_id: The list they leave. People are known by their ``email`` then, and one who stands twice goes once.
    :param everywhere: In place of a list: unsubscribe them everywhere. One of the two must be said.
    :param not_in_list: What to do with those who are not in the list, and have not left it before. ``fail``: nothing is sent.
        ``skip``: they are left out. ``unsubscribe_everywhere``: what Klaviyo would do.
    :return: How many profiles Klaviyo was asked to unsubscribe.
    """

    profiles: Personal[Sequence[Mapping[str, Any]]]
    channels: Sequence[subscriptions.LeftChannel] = ("email.marketing",)
    everywhere: bool = False
    not_in_list: Literal["fail", "skip", "unsubscribe_everywhere"] = "fail"

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests from the rendered fields, as if everybody was in the list."""
        if self.everywhere == (self.list_id is not None):
            raise KlaviyoConfigError("give either list_id or everywhere=True: without a list people are unsubscribed everywhere")
        yield from self._requests(self.profiles if self.everywhere else self._leavers(), self.list_id)

    def execute(self, context: Context) -> int:
        """Look who is in the list, send the requests, and return how many people they are about."""
        journal, requests = Journal(context), list(self.requests())
        with self.hook.session() as klaviyo:
            if self.list_id is None:
                self.send_all(klaviyo, requests, journal)
                asked = len(self.profiles)
            else:
                asked = self._leave(klaviyo, self.list_id, requests, journal)
        journal.close()
        return asked

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Look whether all have left the list; all of them were in it."""
        told = _told(klaviyo, _words(request, "unsubscribe"), self.list_id)
        return _decided(self, request, journal, [not each.member for each in told])

    def _requests(self, people: Sequence[Mapping[str, Any]], list_id: str | None) -> Iterator[Request[Json]]:
        def request(some: Sequence[Mapping[str, Any]]) -> Request[Json]:
            return subscriptions.unsubscribe(profiles=some, channels=self.channels, list_id=list_id)

        return portions(people, subscriptions.MOST_UNSUBSCRIBED, request)

    def _leavers(self) -> list[Mapping[str, Any]]:
        """Return everybody once, by their address: a second row would meet nobody in the list."""
        list(self._requests(self.profiles, self.list_id))  # a wrong row is told with its position
        chosen = {*self.channels, *(channel for each in self.profiles for channel in each.get("channels") or ())}
        if chosen - {"email.marketing"}:
            raise KlaviyoConfigError("a list is left by email.marketing alone: what other channels have to do with lists is not known")
        return [{"email": email} for email in dict.fromkeys(str(each["email"]).lower() for each in self.profiles)]

    def _leave(self, klaviyo: Session, list_id: str, requests: Sequence[Request[Json]], journal: Journal) -> int:
        """Unsubscribe those who are in the list from it, and do with the others as was said."""
        due, asked = self.due(requests, journal), int(journal.get("asked") or 0)
        if self.not_in_list == "fail":
            unsent = [some for some in due if not self._begun(some, journal)]
            self._refuse([email for some in unsent for email in _emails(some, self._looked(klaviyo, list_id, some)[1])])
        for some in due:
            if not self._begun(some, journal):
                members, strangers = self._looked(klaviyo, list_id, some)
                if self.not_in_list == "fail":
                    self._refuse(_emails(some, strangers))
                journal.write(portion=self.digest(some), members=members, strangers=strangers, done=None)
            leaving = _emails(some, journal.get("members"))
            others = _emails(some, journal.get("strangers")) if self.not_in_list == "unsubscribe_everywhere" else []
            for emails, group in ((leaving, list_id), (others, None)):
                for request in self._requests([{"email": email} for email in emails], group):
                    self.send(klaviyo, request, journal)
            asked += len(leaving) + len(others)
            self.finish(some, journal, portion=None, members=None, strangers=None, asked=asked)
        return asked

    def _begun(self, some: Request[Json], journal: Journal) -> bool:
        """Say whether an earlier try has begun to empty the list, or may have: whom it saw in the list are the ones to leave it."""
        return journal.under_way and bool(journal.get("portion") == self.digest(some))

    def _looked(self, klaviyo: Session, list_id: str, some: Request[Json]) -> tuple[list[int], list[int]]:
        """Return the positions of those who are in the list, and of those who are not and have not left it before."""
        told = _told(klaviyo, _words(some, "unsubscribe"), list_id)
        strangers = [at for at, each in enumerate(told) if not each.member and not each.left]
        if strangers:
            self.log.warning("%s of %s profiles are not in the list: not_in_list=%r.", len(strangers), len(told), self.not_in_list)
        return [at for at, each in enumerate(told) if each.member], strangers

    def _refuse(self, strangers: Sequence[str]) -> None:
        if strangers:
            first = next(at for at, each in enumerate(self.profiles) if each["email"].lower() == strangers[0])
            raise KlaviyoConfigError(
                f"{len(strangers):,} of {len(self.profiles):,} profiles are not in the list {self.list_id}, the first at position {first}:"
                " Klaviyo would unsubscribe them everywhere. Leave them out, or say with not_in_list what to do with them"
            )


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


def _people(request: Request[Any]) -> list[Json]:
    """Return the people of a request, as resources."""
    return request.json["data"]["attributes"]["profiles"]["data"] if request.json else []


def _words(request: Request[Any], action: str) -> list[tuple[int, Json]]:
    """Return what the people of a request say, a word for each channel, with their positions."""
    return [
        (
            at,
            {name: row["attributes"][name] for name in ("email", "phone_number") if row["attributes"].get(name)}
            | ({"id": row["id"]} if row.get("id") else {})
            | {name: said[name] for name in ("consented_at",) if said.get(name)}
            | {"action": action, "channel": f"{medium}.{kind}"},
        )
        for at, row in enumerate(_people(request))
        for medium, kinds in row["attributes"]["subscriptions"].items()
        for kind, said in kinds.items()
    ]


def _told(klaviyo: Session, words: Sequence[tuple[int, Json]], list_id: str | None = None) -> list[Standing]:
    """Read where the people of words stand."""
    from airflow_provider_klaviyo.loading.standing import standings

    return standings(klaviyo, [word for _, word in words], list_id)


def _is_against(word: Json, standing: Standing) -> bool:
    """Say whether somebody has said no that the word would take back. Klaviyo goes by its own id where there is one."""
    from airflow_provider_klaviyo.loading.consent import said_at

    return standing.said_no_since(said_at(word)) or bool(standing.foreign and "id" in word)


def _email(row: Json) -> str:
    return str(row["attributes"]["email"]).lower()


def _emails(request: Request[Any], positions: Sequence[int]) -> list[str]:
    rows = _people(request)
    return [_email(rows[at]) for at in positions]


def _decided(operator: KlaviyoOperator, request: Request[Any], journal: Journal, done: Sequence[bool]) -> Json:
    """Return the answer that a request would have had, where all of it is seen to be done."""
    if all(done):
        return {}
    operator.log.warning("%s of %s profiles are as the request would have made them.", sum(done), len(done))
    raise in_doubt(request, journal)
