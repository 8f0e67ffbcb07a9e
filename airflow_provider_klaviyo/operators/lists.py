# SPDX-License-Identifier: Apache-2.0
"""Operators for lists: people put together by hand or by consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError
from airflow_provider_klaviyo.api.filters import equals
from airflow_provider_klaviyo.api.pages import in_large_pages
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator
from airflow_provider_klaviyo.operators.listing import GettingOperator, IdsOperator, ListingOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator, DeletingOperator, only
from airflow_provider_klaviyo.operators.portions import portions

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class KlaviyoCreateListOperator(CreatingOperator):
    """
    Make an empty list.

    https://developers.klaviyo.com/en/reference/create_list
    https://developers.klaviyo.com/en/reference/get_lists
    In a retry: https://developers.klaviyo.com/en/reference/get_list

    :param opt_in_process: Whether who subscribes has to confirm it; the account's default where left out.
    """

    noun = "lists"

    opt_in_process: lists.OptIn | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.create(name=self.name, opt_in_process=self.opt_in_process)

    def listed(self) -> Request[Json]:
        """Make the request that lists everything which may have the name."""
        return lists.list_(filter=equals("name", self.name))

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        return lists.get(list_id=identity)


class KlaviyoGetListOperator(GettingOperator):
    """
    Read a list, by its id or by its name.

    ``additional_fields={"list": ["profile_count"]}`` counts its members.

    https://developers.klaviyo.com/en/reference/get_list
    By name: https://developers.klaviyo.com/en/reference/get_lists

    :param list_id: Klaviyo's id of it.
    :param lookup: In place of the id, its name: ``{"name": "VIP"}``, exactly; several of that name are an error.
    :param must_exist: Whether to fail where no list has the name; otherwise the task returns ``None``.
    """

    list_id: str | None = None
    lookup: Mapping[Literal["name"], str] | None = None
    must_exist: bool = True

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return self._by_id(self.list_id or "")

    def execute(self, context: Context) -> Any:
        """Read the list, after finding its id where it is looked up."""
        if bool(self.list_id) == bool(self.lookup):
            raise KlaviyoConfigError("give either list_id or lookup")
        if not self.lookup:
            return super().execute(context)
        self._by_id("any")  # wrong arguments are refused before anything is asked
        with self.hook.session() as klaviyo:
            if found := only(named(klaviyo, self.lookup["name"]), "lists"):
                return self.result(klaviyo.send(self._by_id(found["id"])))
        if self.must_exist:
            raise KlaviyoError(f"no list is named {self.lookup['name']!r}; must_exist=False returns None")
        return None

    def _by_id(self, list_id: str) -> Request[Json]:
        return lists.get(list_id=list_id, **self.query)


class KlaviyoListListsOperator(ListingOperator):
    """
    Read lists, all pages of them.

    https://developers.klaviyo.com/en/reference/get_lists

    :return: The lists, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.list_(**self.query)


class KlaviyoUpdateListOperator(KlaviyoOperator):
    """
    Change a list.

    https://developers.klaviyo.com/en/reference/update_list

    :param list_id: Klaviyo's id of it.
    :param name: Its new name.
    :param opt_in_process: Whether who subscribes from now on has to confirm it.
    :return: The list: ``id``, ``attributes``, ``relationships``.
    """

    list_id: str
    name: str | None = None
    opt_in_process: lists.OptIn | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.update(list_id=self.list_id, name=self.name, opt_in_process=self.opt_in_process)


class KlaviyoDeleteListOperator(DeletingOperator):
    """
    Delete a list. Its members stay what they are, subscribed or not.

    https://developers.klaviyo.com/en/reference/delete_list

    :param list_id: Klaviyo's id of it.
    """

    list_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.delete(list_id=self.list_id)


class KlaviyoListListProfilesOperator(IdsOperator):
    """
    Read the members of a list, all pages of them.

    https://developers.klaviyo.com/en/reference/get_profiles_for_list

    :param list_id: Klaviyo's id of the list.
    :param return_objects: Whether to return whole profiles, which then stand in Airflow's database; otherwise their ids.
    :return: The profiles' ids.
    """

    least = ("profile", "created")

    list_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.profiles(list_id=self.list_id, **self.query)


class MembersOperator(KlaviyoOperator):
    """
    Name profiles of a list.

    :param list_id: Klaviyo's id of the list.
    :param profile_ids: Klaviyo's ids of the profiles; more than 1,000 go in several requests.
    :return: How many profiles were named.
    """

    list_id: str
    profile_ids: Sequence[str]

    def portion(self, profile_ids: Sequence[str]) -> Request[Json]:
        """Make the request for as many profiles as Klaviyo takes."""
        raise NotImplementedError

    def execute(self, context: Context) -> int:  # noqa: ARG002
        """Send the requests; sending one twice does no harm."""
        requests = list(portions(self.profile_ids, lists.MOST_MEMBERS, self.portion))
        with self.hook.session() as klaviyo:
            for request in requests:
                klaviyo.send(request)
        return len(self.profile_ids)


class KlaviyoAddProfilesToListOperator(MembersOperator):
    """
    Put profiles in a list. That subscribes nobody, and a member stays one.

    https://developers.klaviyo.com/en/reference/add_profiles_to_list
    """

    def portion(self, profile_ids: Sequence[str]) -> Request[Json]:
        """Make the request for as many profiles as Klaviyo takes."""
        return lists.add_profiles(list_id=self.list_id, profile_ids=profile_ids)


class KlaviyoRemoveProfilesFromListOperator(MembersOperator):
    """
    Take profiles out of a list. That unsubscribes nobody, and who is no member stays none.

    https://developers.klaviyo.com/en/reference/remove_profiles_from_list
    """

    def portion(self, profile_ids: Sequence[str]) -> Request[Json]:
        """Make the request for as many profiles as Klaviyo takes."""
        return lists.remove_profiles(list_id=self.list_id, profile_ids=profile_ids)


class KlaviyoSyncListProfilesOperator(KlaviyoOperator):
    """
    Make the members of a list exactly the given profiles. That subscribes and unsubscribes nobody.

    https://developers.klaviyo.com/en/reference/get_profile_ids_for_list
    Where somebody is missing: https://developers.klaviyo.com/en/reference/add_profiles_to_list
    Where somebody is too many: https://developers.klaviyo.com/en/reference/remove_profiles_from_list

    :param list_id: Klaviyo's id of the list.
    :param profile_ids: Klaviyo's ids of all who are to be members. None at all is refused: an upstream task that found nobody would
        empty the list.
    :param max_change: The largest part of the list's members (0 to 1) that may be removed; more fails the task before anything is changed.
    :param preview: Whether only to count.
    :return: ``{"added": n, "removed": n, "unchanged": n}``, all tries of the task together.
    """

    list_id: str
    profile_ids: Sequence[str]
    max_change: float = 0.5
    preview: bool = False

    def execute(self, context: Context) -> Json:
        """Read the members, add who is missing, then remove who is too many; doing it twice does no harm."""
        if not self.profile_ids:
            raise KlaviyoConfigError(
                "profile_ids names nobody: the list would be emptied; delete the list, or remove its profiles, if that is meant"
            )
        wanted = dict.fromkeys(self.profile_ids)
        asked = sha256("".join(map(self.digest, portions(list(wanted), lists.MOST_MEMBERS, self._add))).encode()).hexdigest()[:16]
        journal = Journal(context)
        with self.hook.session() as klaviyo:
            members = {each["id"] for each in klaviyo.walk(in_large_pages(lists.profile_ids(list_id=self.list_id)))}
            missing = [each for each in wanted if each not in members]
            surplus = sorted(members - wanted.keys())
            if len(surplus) > self.max_change * len(members):
                raise KlaviyoConfigError(
                    f"{len(surplus):,} of the list's {len(members):,} members would be removed, more than max_change={self.max_change:g} of them:"
                    " check where profile_ids comes from, or raise max_change"
                )
            counts = {"added": len(missing), "removed": len(surplus), "unchanged": len(members) - len(surplus)}
            if not self.preview:
                if journal.get("asked") == asked:
                    counts = journal.get("counts")  # an earlier try has done part of it
                journal.write(asked=asked, counts=counts)
                additions = portions(missing, lists.MOST_MEMBERS, self._add)
                removals = portions(surplus, lists.MOST_MEMBERS, self._remove)
                for request in (*additions, *removals):
                    klaviyo.send(request)
                journal.close()
        return counts

    def _add(self, profile_ids: Sequence[str]) -> Request[Json]:
        return lists.add_profiles(list_id=self.list_id, profile_ids=profile_ids)

    def _remove(self, profile_ids: Sequence[str]) -> Request[Json]:
        return lists.remove_profiles(list_id=self.list_id, profile_ids=profile_ids)


def named(klaviyo: Session, name: str) -> list[Json]:
    """Return the lists of exactly that name, upper and lower case told apart."""
    return [each for each in klaviyo.walk(lists.list_(filter=equals("name", name))) if each["attributes"]["name"] == name]
