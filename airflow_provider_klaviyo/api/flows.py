# SPDX-License-Identifier: Apache-2.0
"""Flows: messages that something a person does sets off."""

from __future__ import annotations

from typing import Literal, Unpack, get_args

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.api.jsonapi import Listing, Reading, document, listing, reading
from airflow_provider_klaviyo.api.request import Json, Request, at

Status = Literal["draft", "manual", "live"]


def get(*, flow_id: str, **query: Unpack[Reading]) -> Request[Json]:
    """
    Read a flow; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Reading`.

    ``additional_fields={"flow": ["definition"]}`` returns its trigger and its actions.

    https://developers.klaviyo.com/en/reference/get_flow

    :param flow_id: Klaviyo's id of it.
    """
    return reading(at("/api/flows/{}", flow_id), **query)


def list_(**query: Unpack[Listing]) -> Request[Json]:
    """
    Read flows, page by page; for the query see :class:`~airflow_provider_klaviyo.api.jsonapi.Listing`.

    A time in the filter may not lie in the future, and what is filtered by a time can be sorted by that time alone.

    https://developers.klaviyo.com/en/reference/get_flows
    """
    return listing("/api/flows", **query)


def update_status(*, flow_id: str, status: Status) -> Request[Json]:
    """
    Turn a flow on or off, all of its actions included.

    https://developers.klaviyo.com/en/reference/update_flow

    :param flow_id: Klaviyo's id of it.
    :param status: ``live`` sends, ``manual`` keeps messages for a person to send, ``draft`` does nothing.
    :raises KlaviyoConfigError: A status that Klaviyo does not have.
    """
    if status not in get_args(Status):
        raise KlaviyoConfigError(f"status is one of {', '.join(get_args(Status))}")
    return Request("PATCH", at("/api/flows/{}", flow_id), json=document("flow", {"status": status}, identity=flow_id), replayable=True)
