# SPDX-License-Identifier: Apache-2.0
"""Requests about metrics, compared as values."""

from __future__ import annotations

from airflow_provider_klaviyo.api import metrics
from airflow_provider_klaviyo.api.request import Request


def test_get() -> None:
    assert metrics.get(metric_id="M1", fields={"metric": "name"}) == Request("GET", "/api/metrics/M1", params={"fields[metric]": "name"})


def test_list() -> None:
    assert metrics.list_(filter='equals(integration.name,"Shopify")') == Request(
        "GET", "/api/metrics", params={"filter": 'equals(integration.name,"Shopify")'}
    )
