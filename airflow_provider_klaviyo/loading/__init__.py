# SPDX-License-Identifier: Apache-2.0
"""Load rows into Klaviyo: map, check, dedupe, batch, stage, submit, settle, report."""

from __future__ import annotations

from airflow_provider_klaviyo.loading.load import load
from airflow_provider_klaviyo.loading.mapping import FieldMapping
from airflow_provider_klaviyo.loading.plan import Plan
from airflow_provider_klaviyo.loading.preview import preview
from airflow_provider_klaviyo.loading.report import LoadReport
from airflow_provider_klaviyo.loading.rows import Fate, Reject, Row, Skip

__all__ = ["Fate", "FieldMapping", "LoadReport", "Plan", "Reject", "Row", "Skip", "load", "preview"]
