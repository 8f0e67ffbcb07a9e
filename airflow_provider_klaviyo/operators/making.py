# SPDX-License-Identifier: Apache-2.0
"""What all operators share that make something, or delete it: once in effect, however often the task is tried."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoError, KlaviyoInDoubt
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, outcome_unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class CreatingOperator(KlaviyoOperator):
    """
    Make something that has a name.

    It is made once, however often the task is tried: after a try whose outcome is not known, the next looks for what has the
    name and was not there before.

    :param name: Its name in Klaviyo.
    :param if_exists: What to do where one has that very name. ``create``: make another, as Klaviyo does. ``use``: return it.
    :return: What was made: ``id``, ``attributes``, ``relationships``.
    """

    noun: ClassVar[str]
    """What several of it are called, for messages."""

    name: str
    if_exists: Literal["create", "use"] = "create"

    def listed(self) -> Request[Json]:
        """Make the request that lists everything which may have the name."""
        raise NotImplementedError

    def named(self, item: Json) -> bool:
        """Say whether an item has exactly the name, upper and lower case told apart."""
        return bool(item["attributes"]["name"] == self.name)

    def got(self, identity: str) -> Request[Json]:
        """Make the request that reads one by its id."""
        raise NotImplementedError

    def execute(self, context: Context) -> Any:
        """Make it, or return the one that is there."""
        if self.if_exists == "use":
            journal = Journal(context)
            self.recognise(self.request(), journal)
            with self.hook.session() as klaviyo:
                if found := only(self.namesakes(klaviyo), self.noun):
                    journal.close()
                    return found
        return super().execute(context)

    def namesakes(self, klaviyo: Session) -> list[Json]:
        """Return all that have the name."""
        return [each for each in klaviyo.walk(self.listed()) if self.named(each)]

    def note(self, klaviyo: Session) -> Json:
        """Note those that have the name already."""
        return {"there": [each["id"] for each in self.namesakes(klaviyo)]}

    def recall(self, klaviyo: Session, request: Request[Any], journal: Journal) -> Any:  # noqa: ARG002
        """Look for one of that name which was not there before."""
        there = journal.get("there") or ()
        made = [each for each in self.namesakes(klaviyo) if each["id"] not in there]
        if len(made) > 1:
            raise KlaviyoInDoubt(
                f"an earlier try was not answered, and since then {len(made)} {self.noun} of that name were made"
                f" ({', '.join(each['id'] for each in made)}): delete those too many, and mark this task as success"
            )
        return {"data": made[0]} if made else None

    def reread(self, klaviyo: Session, done: Json) -> Any:
        """Read what an earlier try of the task has made."""
        return klaviyo.send(self.got(done["id"]))


class DeletingOperator(KlaviyoOperator):
    """
    Delete something.

    :param must_exist: Whether to fail where there is none, unless an earlier try of the task may have deleted it. Otherwise
        nothing to delete is a success.
    :return: Nothing.
    """

    must_exist: bool = False

    def execute(self, context: Context) -> None:
        """Delete it."""
        journal, request = Journal(context), self.request()
        digest = self.digest(request)
        tried = journal.get("deleting") == digest
        with self.hook.session() as klaviyo:
            journal.write(deleting=digest)
            try:
                klaviyo.send(request)
            except KlaviyoError as error:
                gone = isinstance(error, KlaviyoApiError) and error.status == HTTPStatus.NOT_FOUND
                if not gone or (self.must_exist and not tried):
                    if not tried and not outcome_unknown(error):
                        journal.write(deleting=None)
                    raise
                self.log.info("There is none: nothing to delete.")
        journal.close()


def only(found: Sequence[Json], noun: str) -> Json | None:
    """
    Return the one that was found, or ``None``.

    :param found: All that have a name.
    :param noun: What they are called.
    :raises KlaviyoError: There are several.
    """
    if len(found) > 1:
        raise KlaviyoError(f"{len(found)} {noun} have that name ({', '.join(each['id'] for each in found)}): use the id of one")
    return found[0] if found else None
