# SPDX-License-Identifier: Apache-2.0
"""Metrics: the kinds of events an account has."""

from __future__ import annotations

from airflow_provider_klaviyo.api.jsonapi import Fields, Names, listing, query
from airflow_provider_klaviyo.api.request import Json, Request, at


def get(*, metric_id: str, fields: Fields | None = None, include: Names | None = None) -> Request[Json]:
    """
    Read a metric.

    https://developers.klaviyo.com/en/reference/get_metric

    :param metric_id: Klaviyo's id of it.
    :param fields: The fields to return, by resource type.
    :param include: Relationships whose resources to return as well.
    """
    return Request("GET", at("/api/metrics/{}", metric_id), params=query(fields=fields, include=include))


def list_(
    *,
    filter: str | None = None,  # noqa: A002 - Klaviyo's name
    fields: Fields | None = None,
    include: Names | None = None,
) -> Request[Json]:
    """
    Read metrics, page by page, in the order and the pages that Klaviyo chooses.

    https://developers.klaviyo.com/en/reference/get_metrics

    :param filter: Klaviyo's filter, such as ``equals(integration.name,"Shopify")``; by name it does not filter.
    :param fields: The fields to return, by resource type.
    :param include: Relationships whose resources to return as well.
    """
    return listing("/api/metrics", filter=filter, fields=fields, include=include)
