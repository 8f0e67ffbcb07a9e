# SPDX-License-Identifier: Apache-2.0
"""A shop that nobody owns: made by a seed, with every oddity that real shops have in small number."""

from __future__ import annotations

from airflow_provider_klaviyo.sandbox.shopify.generated.shop import CASES, generate

__all__ = ["CASES", "generate"]
