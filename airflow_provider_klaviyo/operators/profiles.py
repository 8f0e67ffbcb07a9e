# SPDX-License-Identifier: Apache-2.0
"""Operators for profiles: the people of an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klaviyo.api import bodies, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.api.jobs import Kind
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal, in_doubt
from airflow_provider_klaviyo.operators.jobs import JobOperator
from airflow_provider_klaviyo.operators.listing import GettingOperator, IdsOperator, Names

if TYPE_CHECKING:
    from airflow_provider_klaviyo.session import Session

IDENTIFIERS = ("email", "phone_number", "external_id")


class ProfileOperator(KlaviyoOperator):
    """
    Send a request about one profile.

    :param return_objects: Whether to return the whole profile, which then stands in Airflow's database; otherwise its id.
    """

    return_objects: bool = False

    def result(self, answer: Any) -> Any:
        """Return the profile's id, or the profile."""
        return answer["data"] if self.return_objects else answer["data"]["id"]

    def reread(self, klaviyo: Session, done: Json) -> Any:
        """Read the profile that an earlier try of the task has made."""
        return klaviyo.send(profiles.get(profile_id=done["id"]))


class KlaviyoCreateProfileOperator(ProfileOperator):
    """
    Make a profile; fail where one holds an identifier already.

    It is looked for before it is made: after a try whose outcome is not known, the next can tell ours from one that was there.

    https://developers.klaviyo.com/en/reference/create_profile
    https://developers.klaviyo.com/en/reference/get_profiles
    In a retry: https://developers.klaviyo.com/en/reference/get_profile

    :param profile: The attributes, one of ``email``, ``phone_number`` and ``external_id`` among them.
    :return: The profile's id.
    """

    profile: Personal[Mapping[str, Any]]

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return profiles.create(profile=self.profile)

    def note(self, klaviyo: Session) -> Json:
        """Note who holds one of the identifiers already."""
        lookups = [{name: str(self.profile[name])} for name in IDENTIFIERS if self.profile.get(name)]
        found = [klaviyo.send(profiles.get_by(lookup=lookup)) for lookup in lookups]
        return {"there": sorted({each["data"]["id"] for each in found if each})}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """
        Send it again: where the earlier try made the profile, Klaviyo refuses the second and names the first.

        Ours is a profile that was not there before, and that has all we sent: somebody else may have made one since.
        """
        try:
            return klaviyo.send(request)
        except KlaviyoApiError as error:
            if error.status != HTTPStatus.CONFLICT or not error.duplicate_id or error.duplicate_id in (journal.get("there") or ()):
                raise
            found = klaviyo.send(profiles.get(profile_id=error.duplicate_id))
            if not _holds(found["data"]["attributes"], self.profile):
                raise
            return found


class KlaviyoUpsertProfileOperator(ProfileOperator):
    """
    Make a profile, or update the one that holds an identifier of it.

    https://developers.klaviyo.com/en/reference/create_or_update_profile
    In a retry: https://developers.klaviyo.com/en/reference/get_profile

    :param profile: The attributes, an identifier among them (``id`` and ``_kx`` serve as well). ``None`` clears a field.
    :param append: Values to add to properties that are lists; sent once in effect.
    :param unappend: Values to take from properties that are lists; sent once in effect.
    :param unset: Properties to remove.
    :return: The profile's id.
    """

    profile: Personal[Mapping[str, Any]]
    append: Personal[Mapping[str, Any] | None] = None
    unappend: Personal[Mapping[str, Any] | None] = None
    unset: Names | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return profiles.upsert(profile=self.profile, append=self.append, unappend=self.unappend, unset=self.unset)


class KlaviyoUpdateProfileOperator(ProfileOperator):
    """
    Update a profile.

    https://developers.klaviyo.com/en/reference/update_profile
    In a retry: https://developers.klaviyo.com/en/reference/get_profile

    :param profile_id: Klaviyo's id of it.
    :param profile: The attributes to set. ``None`` clears a field.
    :param append: Values to add to properties that are lists; sent once in effect.
    :param unappend: Values to take from properties that are lists; sent once in effect.
    :param unset: Properties to remove.
    :return: The profile's id.
    """

    profile_id: str
    profile: Personal[Mapping[str, Any] | None] = None
    append: Personal[Mapping[str, Any] | None] = None
    unappend: Personal[Mapping[str, Any] | None] = None
    unset: Names | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return profiles.update(
            profile_id=self.profile_id, profile=self.profile, append=self.append, unappend=self.unappend, unset=self.unset
        )


class KlaviyoMergeProfilesOperator(KlaviyoOperator):
    """
    Merge one profile, the source, into another. The source is deleted; nothing brings it back.

    Klaviyo carries it out some time after it has accepted it; until then the source can be read. After a try whose outcome is not
    known, the next looks for the source, which was there before: it is done if that is gone, and otherwise nobody can tell.

    https://developers.klaviyo.com/en/reference/merge_profiles
    https://developers.klaviyo.com/en/reference/get_profile

    :param destination_id: Klaviyo's id of the profile that stays.
    :param source_id: Klaviyo's id of the profile that goes.
    :return: The id of the profile that stays.
    """

    destination_id: str
    source_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return profiles.merge(destination_id=self.destination_id, source_id=self.source_id)

    def result(self, answer: Any) -> Any:
        """Return the id of the profile that stays."""
        return answer["data"]["id"]

    def note(self, klaviyo: Session) -> Json:
        """See to it that both profiles are there: that the source is gone will say that it was merged."""
        for profile_id in (self.destination_id, self.source_id):
            if _identity(klaviyo, profile_id) != profile_id:
                raise KlaviyoConfigError(f"the profile {profile_id} was merged into another before: nothing is sent")
        return {}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:
        """Look for the source: Klaviyo answers with none, or with what it went into."""
        try:
            found = _identity(klaviyo, self.source_id)
        except KlaviyoApiError as error:
            if error.code != "not_found":
                raise
        else:
            if found != self.destination_id:
                raise in_doubt(request, journal)
        return {"data": {"type": "profile", "id": self.destination_id}}


class KlaviyoGetProfileOperator(GettingOperator):
    """
    Read a profile, by its id or by what it is known as. ``additional_fields={"profile": ["subscriptions"]}`` shows what it agreed to.

    https://developers.klaviyo.com/en/reference/get_profile
    https://developers.klaviyo.com/en/reference/get_profiles

    :param profile_id: Klaviyo's id of it.
    :param lookup: In place of the id, one identifier: ``{"email": "sarah@example.com"}``, ``phone_number`` or ``external_id``.
    :param must_exist: Whether to fail where nobody has the identifier; otherwise the task returns ``None``.
    :param return_objects: Whether to return the whole profile, which then stands in Airflow's database; otherwise its id.
    :return: The profile's id.
    """

    profile_id: str | None = None
    lookup: Personal[Mapping[str, str] | None] = None
    must_exist: bool = True
    return_objects: bool = False

    def request(self) -> Request[Any]:
        """Make the request from the rendered fields."""
        if bool(self.profile_id) == bool(self.lookup):
            raise KlaviyoConfigError("give either profile_id or lookup")
        if self.lookup:
            return profiles.get_by(lookup=self.lookup, **self.query)
        return profiles.get(profile_id=self.profile_id or "", **self.query)

    def result(self, answer: Any) -> Any:
        """Return the profile's id or the profile, or say that there is none."""
        if answer is not None:
            return super().result(answer) if self.return_objects else answer["data"]["id"]
        if self.must_exist:
            raise KlaviyoError(f"no profile has the {next(iter(self.lookup or {}))} that was looked up; must_exist=False returns None")
        return None


class KlaviyoListProfilesOperator(IdsOperator):
    """
    Read profiles, all pages of them.

    https://developers.klaviyo.com/en/reference/get_profiles

    :param return_objects: Whether to return whole profiles, which then stand in Airflow's database; otherwise their ids.
    :return: The profiles' ids.
    """

    least = ("profile", "created")

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return profiles.list_(**self.query)


class KlaviyoBulkImportProfilesOperator(JobOperator):
    """
    Make or update up to 10,000 profiles in one job. For more, and for rows from a database, there are the transfers.

    https://developers.klaviyo.com/en/reference/bulk_import_profiles
    https://developers.klaviyo.com/en/reference/get_bulk_import_profiles_job

    :param profiles: Each profile's attributes, an identifier among them.
    :param list_id: The list to put them in. That subscribes nobody.
    """

    kind: ClassVar[Kind] = "profile-bulk-import"

    profiles: Personal[Sequence[Mapping[str, Any]]]
    list_id: str | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        checked = [bodies.profile_resource(bodies.checked_profile(each, also=("id", "_kx"))) for each in self.profiles]
        return profiles.bulk_import(profiles=checked, list_id=self.list_id)


def _identity(klaviyo: Session, profile_id: str) -> str:
    """Return the id of the profile that an id leads to: of one that was merged, it may be that of another."""
    return str(klaviyo.send(profiles.get(profile_id=profile_id, fields={"profile": ["created"]}))["data"]["id"])


def _holds(stored: Any, sent: Any) -> bool:
    """Say whether Klaviyo has what was sent, beside what it adds of its own; it writes some texts and numbers in its own way."""
    match sent:
        case None:
            return stored in (None, "")
        case Mapping():
            return isinstance(stored, Mapping) and all(_holds(stored.get(name), each) for name, each in sent.items())
        case list() | tuple():
            return isinstance(stored, list) and len(stored) == len(sent) and all(map(_holds, stored, sent))
    return str(stored).casefold() == str(sent).casefold()
