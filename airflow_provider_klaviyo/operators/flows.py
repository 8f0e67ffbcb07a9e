# SPDX-License-Identifier: Apache-2.0
"""Operators for flows: messages that something a person does sets off."""

from __future__ import annotations

from airflow_provider_klaviyo.api import flows
from airflow_provider_klaviyo.api.request import Json, Request
from airflow_provider_klaviyo.operators.base import KlaviyoOperator
from airflow_provider_klaviyo.operators.listing import GettingOperator, ListingOperator


class KlaviyoGetFlowOperator(GettingOperator):
    """
    Read a flow.

    https://developers.klaviyo.com/en/reference/get_flow

    :param flow_id: Klaviyo's id of it.
    """

    flow_id: str

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return flows.get(flow_id=self.flow_id, **self.query)


class KlaviyoListFlowsOperator(ListingOperator):
    """
    Read flows, all pages of them.

    https://developers.klaviyo.com/en/reference/get_flows

    :return: The flows, each with ``id``, ``attributes``, ``relationships``.
    """

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return flows.list_(**self.query)


class KlaviyoUpdateFlowStatusOperator(KlaviyoOperator):
    """
    Turn a flow on or off, all of its actions included.

    https://developers.klaviyo.com/en/reference/update_flow

    :param flow_id: Klaviyo's id of it.
    :param status: ``live`` sends, ``manual`` keeps messages for a person to send, ``draft`` does nothing.
    :return: The flow: ``id``, ``attributes``, ``relationships``.
    """

    flow_id: str
    status: flows.Status

    def request(self) -> Request[Json]:
        """Make the request from the rendered fields."""
        return flows.update_status(flow_id=self.flow_id, status=self.status)
