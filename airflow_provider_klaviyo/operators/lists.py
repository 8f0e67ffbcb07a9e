# SPDX-License-Identifier: Apache-2.0
"""Operators for lists: people put together by hand or by consent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.api.errors import KlaviyoConfigError, KlaviyoError, KlaviyoInDoubt
from airflow_provider_klaviyo.api.jsonapi import equals
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator
from airflow_provider_klaviyo.operators.listing import Fields, ListingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class KlaviyoCreateListOperator(KlaviyoOperator):
    """
    Make an empty list.

    It is made once, however often the task is tried: after a try whose outcome is not known, the next looks for the list.

    https://developers.klaviyo.com/en/reference/create_list

    :param name: Its name in Klaviyo.
    :param opt_in_process: Whether who subscribes has to confirm it; the account's default where left out.
    :param if_exists: What to do where a list has that very name. ``create``: make another, as Klaviyo does. ``use``: return it.
    :return: The list: ``id``, ``attributes``, ``relationships``.
    """

    name: str
    opt_in_process: lists.OptIn | None = None
    if_exists: Literal["create", "use"] = "create"

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.create(name=self.name, opt_in_process=self.opt_in_process)

    def execute(self, context: Context) -> Any:
        """Make the list, or return the one that is there."""
        if self.if_exists == "use":
            with self.hook.session() as klaviyo:
                if found := only(named(klaviyo, self.name)):
                    Journal(context).close()
                    return found
        return super().execute(context)

    def note(self, klaviyo: Session) -> Json:
        """Note the lists that have the name already."""
        return {"there": [each["id"] for each in named(klaviyo, self.name)]}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:  # noqa: ARG002
        """Look for a list of that name which was not there before."""
        there = journal.get("there") or ()
        made = [each for each in named(klaviyo, self.name) if each["id"] not in there]
        if len(made) > 1:
            raise KlaviyoInDoubt(
                f"an earlier try was not answered, and since then {len(made)} lists of that name were made"
                f" ({', '.join(each['id'] for each in made)}): delete those too many, and mark this task as success"
            )
        return {"data": made[0]} if made else None

    def reread(self, klaviyo: Session, done: Json) -> Any:
        """Read the list that an earlier try of the task has made."""
        return klaviyo.send(lists.get(list_id=done["id"]))


class KlaviyoGetListOperator(KlaviyoOperator):
    """
    Read a list, by its id or by its name.

    https://developers.klaviyo.com/en/reference/get_list

    :param list_id: Klaviyo's id of it.
    :param lookup: In place of the id, its name: ``{"name": "VIP"}``, exactly; several of that name are an error.
    :param must_exist: Whether to fail where no list has the name; otherwise the task returns ``None``.
    :param fields: The fields to return, by resource type.
    :param additional_fields: ``{"list": ["profile_count"]}`` counts its members; by id alone.
    :return: The list: ``id``, ``attributes``, ``relationships``.
    """

    list_id: str | None = None
    lookup: Mapping[Literal["name"], str] | None = None
    must_exist: bool = True
    fields: Fields | None = None
    additional_fields: Fields | None = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return lists.get(list_id=self.list_id or "", fields=self.fields, additional_fields=self.additional_fields)

    def execute(self, context: Context) -> Any:
        """Read the list."""
        if bool(self.list_id) == bool(self.lookup):
            raise KlaviyoConfigError("give either list_id or lookup")
        if not self.lookup:
            return super().execute(context)
        with self.hook.session() as klaviyo:
            found = only(named(klaviyo, self.lookup["name"], self.fields))
        if found is None and self.must_exist:
            raise KlaviyoError(f"no list is named {self.lookup['name']!r}; must_exist=False returns None")
        return found


class KlaviyoListListsOperator(ListingOperator):
    """
    Read lists, all pages of them.

    https://developers.klaviyo.com/en/reference/get_lists

    :return: The lists, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        if self.additional_fields:
            raise KlaviyoConfigError("Klaviyo's list of lists has no additional_fields; KlaviyoGetListOperator has them")
        return lists.list_(
            filter=self.filter, sort=self.sort, fields=self.fields, include=self.include, page_size=self.page_size("/api/lists")
        )


class KlaviyoAddProfilesToListOperator(KlaviyoOperator):
    """
    Put profiles in a list. That subscribes nobody, and a member stays one.

    https://developers.klaviyo.com/en/reference/add_profiles_to_list

    :param list_id: Klaviyo's id of the list.
    :param profile_ids: Klaviyo's ids of the profiles; more than 1,000 go in several requests.
    :return: How many profiles were named.
    """

    list_id: str
    profile_ids: Sequence[str]

    def requests(self) -> Iterator[Request[Json]]:
        """Make the requests, each for as many profiles as Klaviyo takes."""
        for start in range(0, len(self.profile_ids), lists.MOST_ADDED):
            yield lists.add_profiles(list_id=self.list_id, profile_ids=self.profile_ids[start : start + lists.MOST_ADDED])

    def execute(self, context: Context) -> int:  # noqa: ARG002
        """Send the requests; sending one twice does no harm."""
        requests = list(self.requests())
        with self.hook.session() as klaviyo:
            for request in requests:
                klaviyo.send(request)
        return len(self.profile_ids)


def named(klaviyo: Session, name: str, fields: Fields | None = None) -> list[Json]:
    """Return the lists of exactly that name, upper and lower case told apart."""
    asked = None if fields is None else {**fields, "list": sorted({"name", *_names(fields.get("list", ()))})}
    return [each for each in klaviyo.walk(lists.list_(filter=equals("name", name), fields=asked)) if each["attributes"]["name"] == name]


def only(found: Sequence[Json]) -> Json | None:
    """
    Return the one list that was found, or ``None``.

    :raises KlaviyoError: There are several.
    """
    if len(found) > 1:
        raise KlaviyoError(f"{len(found)} lists have that name ({', '.join(each['id'] for each in found)}): use the id of one")
    return found[0] if found else None


def _names(names: str | Sequence[str]) -> Sequence[str]:
    return names.split(",") if isinstance(names, str) else names
