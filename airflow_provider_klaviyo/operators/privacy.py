# SPDX-License-Identifier: Apache-2.0
"""Operators for privacy: what a person may ask by law."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from airflow_provider_klaviyo.api import privacy
from airflow_provider_klaviyo.api.errors import KlaviyoApiError
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Personal

if TYPE_CHECKING:
    from airflow.sdk import Context


class KlaviyoDeleteProfileDataOperator(KlaviyoOperator):
    """
    Delete a profile and everything about it, for good.

    Nothing brings it back, and there is nothing to cancel. Klaviyo carries it out some time after it has accepted it, and shows no
    job. Asked twice it does the same, so a request without an answer is repeated; that nobody has the identifier is a success.

    https://developers.klaviyo.com/en/reference/request_profile_deletion

    :param profile_id: Klaviyo's id of it.
    :param lookup: In place of the id, one identifier: ``{"email": "sarah@example.com"}`` or ``phone_number``.
    :return: Nothing.
    """

    profile_id: str | None = None
    lookup: Personal[Mapping[str, str] | None] = None

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return privacy.delete_profile(profile_id=self.profile_id, lookup=self.lookup)

    def execute(self, context: Context) -> None:  # noqa: ARG002
        """Ask Klaviyo to delete the profile."""
        request = self.request()
        with self.hook.session() as klaviyo:
            try:
                klaviyo.send(request)
            except KlaviyoApiError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                self.log.info("Klaviyo has no such profile: there is nothing to delete.")
