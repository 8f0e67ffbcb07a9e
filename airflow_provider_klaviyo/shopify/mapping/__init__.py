# SPDX-License-Identifier: Apache-2.0
"""Shopify's customers and orders as Klaviyo's profiles and events."""

from __future__ import annotations

from airflow_provider_klaviyo.shopify.mapping.consent import ConsentChannel, consent
from airflow_provider_klaviyo.shopify.mapping.events import DEFAULT_METRICS, Metric, OrderValue, events, needs_details
from airflow_provider_klaviyo.shopify.mapping.profiles import profile
from airflow_provider_klaviyo.shopify.mapping.rows import Mapped, Reason, Unmapped

__all__ = [
    "DEFAULT_METRICS",
    "ConsentChannel",
    "Mapped",
    "Metric",
    "OrderValue",
    "Reason",
    "Unmapped",
    "consent",
    "events",
    "needs_details",
    "profile",
]
