# SPDX-License-Identifier: Apache-2.0
"""A local Klaviyo: the operations this package uses, as strict as Klaviyo's documentation and recorded answers are."""

from __future__ import annotations

from airflow_provider_klaviyo.sandbox.klaviyo.behaviour import Behaviour
from airflow_provider_klaviyo.sandbox.klaviyo.received import Received
from airflow_provider_klaviyo.sandbox.klaviyo.router import create
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

__all__ = ["Behaviour", "KlaviyoState", "Received", "create"]
