# SPDX-License-Identifier: Apache-2.0
"""People and keys go to Klaviyo and nowhere else: not into logs, errors, the store, the report or the rejects file."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_klaviyo.loading import FieldMapping, Row
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import TIME, KeptStore, plan, session

SECRETS = ("sarah", "connor", "4155552671", "555-2671", "pk_sandbox", "pk_wrong", "cyberdyne")
PERSON = {
    "email": "sarah.connor@example.com",
    "phone_number": "+14155552671",
    "first_name": "Sarah",
    "last_name": "Connor",
    "organization": "Cyberdyne",
}
QUOTING = "'Sarah' <sarah.connor@example.com>, (415) 555-2671, is not \"Sarah\" `Sarah`"
"""A name that stands nowhere in quotes cannot be told from a word."""


def rows(kind: str) -> list[Row]:
    """Return people who are good, who cannot be sent, and whom Klaviyo refuses."""
    all_of_them: list[dict[str, Any]] = [
        PERSON,
        {**PERSON, "email": "refused.sarah@example.com", "phone_number": None},
        {"phone_number": "(415) 555-2671", "first_name": "Sarah"},
        {
            **PERSON,
            "email": "sarah connor",
            "phone_number": "415",
            "locale": "Sarah Connor",
            "location": {"latitude": "Cyberdyne", "timezone": "Sarah"},
        },
        {"external_id": "half \udc80 sarah", "title": "connor" * 20_000, "first_name": "Sarah"},
        {"external_id": "ok", "first_name": "Sarah", "properties": {"a": object(), "b": float("nan"), "c": {"d": [b"sarah"]}}},
    ]
    if kind == "events":
        return [
            Row(
                f"row {at}",
                {
                    "metric": "M",
                    "time": TIME if at % 2 == 0 else "Sarah's birthday",
                    "profile": each,
                    "value": "Cyberdyne",
                    "unique_id": f"{at}",
                },
            )
            for at, each in enumerate(all_of_them)
        ]
    return [Row(f"row {at}", each) for at, each in enumerate(all_of_them)]


def refusing(sandbox: SandboxServer, kind: str, how: str) -> None:
    at = (
        "/data/attributes/profiles/data/1/attributes/email"
        if kind == "profiles"
        else "/data/attributes/events-bulk-create/data/0/attributes/profile"
    )
    pointer = {"pointed": at, "whole": "", "list": "/data/relationships/lists/data/0"}.get(how, "")
    if how == "job":
        sandbox.klaviyo.next_job(fail=[1])
        error = {"code": "invalid", "detail": QUOTING, "source": {"pointer": at}, "original_payload": PERSON}
        sandbox.fail(
            path="import-errors$", status=200, body={"data": [{"id": "1", "type": "import-error", "attributes": error}], "links": {}}
        )
    elif how == "drop":
        sandbox.fail(path="bulk", method="POST", drop="after", times=20)
    elif how != "key":
        errors = [{"code": "invalid", "detail": QUOTING, "source": {"pointer": pointer}}]
        sandbox.fail(path="bulk|events", method="POST", status=400, times=30, body={"errors": errors})


@pytest.mark.parametrize("rule", ["drop_field", "reject_row"])
@pytest.mark.parametrize("how", ["pointed", "whole", "list", "job", "drop", "key"])
@pytest.mark.parametrize("kind", ["profiles", "events"])
def test_nobody_is_named_anywhere(
    klaviyo: SandboxServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    kind: str,
    how: str,
    rule: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    refusing(klaviyo, kind, how)
    store = KeptStore()
    made = plan(kind, tmp_path, on_invalid=rule, default_region="DE", state_path=tmp_path / "state", rejects_path=tmp_path / "rejects")
    said = ""
    with session(klaviyo, max_attempts=2, key="pk_wrong" if how == "key" else "pk_sandbox") as api:
        try:
            load_rows(api, rows(kind), made, store=store)
        except Exception as error:  # noqa: BLE001 - whichever it is, it must not tell
            said = "".join(traceback.format_exception(error)) + everything(error)
    assert said
    records = "\n".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    out, err = capfd.readouterr()
    names = " ".join(path.name for path in tmp_path.rglob("*"))
    written = (tmp_path / "rejects").read_text() if (tmp_path / "rejects").exists() else ""
    found = {
        "the error": said,
        "the log": records,
        "the output": out + err,
        "the store": json.dumps(store),
        "the rejects": written,
        "a file's name": names,
    }
    for place, text in found.items():
        shown = without_code(text) if place == "the error" else text
        for secret in SECRETS:
            assert secret not in shown.lower(), place
    if how in {"whole", "job"}:
        assert '"key": "row 1"' in written


def everything(error: BaseException | None) -> str:
    """Return what an error and all behind it hold."""
    if error is None:
        return ""
    return f"{error!r} {error.args} {getattr(error, '__dict__', '')} {everything(error.__cause__)} {everything(error.__context__)}"


def without_code(text: str) -> str:
    """Leave out the lines of source that a traceback quotes: this file is full of Sarah."""
    return "\n".join(line for line in text.split("\n") if not line.startswith("    "))


def test_a_converters_complaint_does_not_reach_the_log(klaviyo: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def convert(value: str) -> str:
        raise ValueError(f"no such person: {value}")

    caplog.set_level(logging.DEBUG)
    made = plan(
        "profiles", tmp_path, mapping=[FieldMapping("who", "external_id", convert)], rejects_path=tmp_path / "rejects", allowed_rejects=1
    )
    with session(klaviyo) as api:
        report = load_rows(api, [{"who": "Sarah Connor"}], made)
    assert report.rejected == 1
    for text in (caplog.text, (tmp_path / "rejects").read_text(), str(report.as_json())):
        assert "connor" not in text.lower()
