# SPDX-License-Identifier: Apache-2.0
"""What was asked of the local Klaviyo, and how it was answered."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import forms
from airflow_provider_klaviyo.sandbox.klaviyo.forms import Form


@dataclass(frozen=True, slots=True)
class Received:
    """
    A request as it came, and how it was answered.

    :param name: Method and path template, such as ``POST /api/profile-bulk-import-jobs``.
    :param path: The path with its ids.
    :param query: The query, unquoted.
    :param headers: Names in lower case.
    :param raw: The body, compressed or not.
    :param status: The status it was answered with.
    :param answered: The body it was answered with.
    """

    name: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    status: int
    answered: bytes

    @property
    def body(self) -> Any:
        """The JSON that was sent, ``None`` for none and for a form."""
        if self.form is not None:
            return None
        text = gzip.decompress(self.raw) if self.headers.get("content-encoding") == "gzip" else self.raw
        return json.loads(text) if text else None

    @property
    def form(self) -> Form | None:
        """The form that was sent, ``None`` for JSON and for nothing."""
        kind = self.headers.get("content-type", "")
        return forms.read(self.raw, kind) if "/form-data" in kind else None

    @property
    def answer(self) -> Any:
        """The JSON that was answered, ``None`` for none."""
        return json.loads(self.answered) if self.answered else None
