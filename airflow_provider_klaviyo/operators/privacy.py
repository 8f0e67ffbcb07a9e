# SPDX-License-Identifier: Apache-2.0
"""Operators for privacy: what a person may ask by law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import privacy, profiles
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import Journal, KlaviyoOperator, Personal

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.session import Session


class KlaviyoDeleteProfileDataOperator(KlaviyoOperator):
    """
    Delete a profile and everything about it, for good.

    Nothing brings it back, and there is nothing to cancel. Klaviyo deletes *all* profiles that have the identifier. It carries it
    out some time after it has accepted it, and shows no job. Asked twice it does the same, so a request without an answer is
    repeated.

    https://developers.klaviyo.com/en/reference/request_profile_deletion
    https://developers.klaviyo.com/en/reference/get_profile

    :param profile_id: Klaviyo's id of it.
    :param lookup: In place of the id, one identifier: ``{"email": "sarah@example.com"}`` or ``phone_number``. That nobody has it is
        a success.
    :param must_exist: Whether to fail where nothing has the ``profile_id``, unless an earlier try of the task has asked for it.
        It is read before, because Klaviyo accepts whatever stands there.
    :return: Nothing.
    """

    profile_id: str | None = None
    lookup: Personal[Mapping[str, str] | None] = None
    must_exist: bool = True

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return privacy.delete_profile(profile_id=self.profile_id, lookup=self.lookup)

    def execute(self, context: Context) -> None:
        """Ask Klaviyo to delete the profile."""
        journal, request = Journal(context), self.request()
        with self.hook.session() as klaviyo:
            if self.profile_id and self.must_exist and journal.get("deleting") != self.profile_id:
                self._check_there(klaviyo, self.profile_id)
            journal.write(deleting=self.profile_id)
            try:
                klaviyo.send(request)
            except KlaviyoApiError as error:
                if error.code != "not_found":
                    raise
                self.log.info("Klaviyo has no such profile: there is nothing to delete.")
        journal.close()

    def _check_there(self, klaviyo: Session, profile_id: str) -> None:
        found = klaviyo.send(profiles.get(profile_id=profile_id, fields={"profile": ["created"]}))["data"]["id"]
        if found != profile_id:
            raise KlaviyoConfigError(f"the profile {profile_id} was merged into {found}: nothing is sent. To delete that one, give its id")
