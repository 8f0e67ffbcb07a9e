# SPDX-License-Identifier: Apache-2.0
"""What a shop's customers agreed to lands in Klaviyo: with Shopify's dates, and nobody subscribed who did not say so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_klaviyo.loading import Fate
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.shopify.mapping import Mapped, consent
from airflow_provider_klaviyo.transfers.shopify_to_klaviyo import ShopifyToKlaviyoConsentOperator
from tests.loading.kit import requests
from tests.operators.test_examples import load as example

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

    RunDag = Callable[..., "DagRun"]

LONG_AGO = "2000-01-01T00:00:00+00:00"
SUBSCRIBE = "POST /api/profile-subscription-bulk-create-jobs"
UNSUBSCRIBE = "POST /api/profile-subscription-bulk-delete-jobs"
BOTH: Any = ["email.marketing", "sms.marketing"]
Json = dict[str, Any]


@pytest.fixture
def shop(sandbox: SandboxServer) -> SandboxServer:
    """Hand out a sandbox that carries out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@pytest.fixture
def load(run_dag: RunDag, tmp_path: Path) -> Callable[..., Json]:
    """Return a function that runs a DAG with the operator in it, and returns the report, whose sum it checks."""

    def run(**fields: Any) -> Json:
        with DAG("load", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
            ShopifyToKlaviyoConsentOperator(
                task_id="load",
                start=datetime.fromisoformat(LONG_AGO),
                poll_interval=0.1,
                staging_path=f"file://{tmp_path}/stage",
                rejects_path=f"file://{tmp_path}/rejects.jsonl",
                audit_path=f"file://{tmp_path}/audit",
                **fields,
            )
        instance = run_dag(dag).get_task_instance("load")
        assert instance is not None
        report: Json = instance.xcom_pull(task_ids="load", key="report")
        assert report["accounted"]
        assert report["read"] == sum(report[fate] for fate in Fate)
        assert instance.state == "success"
        return report

    return run


def said(sandbox: SandboxServer, channels: Any = ("email.marketing",)) -> list[Mapped]:
    """Return the words of the shop's customers."""
    rows = [row for each in sandbox.shopify.store.customers.values() for row in consent(each.data, channels)]
    return [each for each in rows if isinstance(each, Mapped)]


def held(sandbox: SandboxServer) -> dict[tuple[str, str, str], str]:
    """Return what Klaviyo holds of anybody's consent, and since when, after all that is due."""
    sandbox.klaviyo.meanwhile({})
    with sandbox.klaviyo.lock:
        rows = sandbox.klaviyo.db.execute(
            "SELECT coalesce(p.email, p.phone_number), c.channel, c.consent, c.at, c.source, p.phone_number FROM consents c"
            " JOIN profiles p ON p.id = c.profile_id"
        ).fetchall()
    return {
        (phone if channel.startswith("sms") else who, channel, word): f"{datetime.fromtimestamp(at / 1e6, UTC).isoformat()} {source}"
        for who, channel, word, at, source, phone in rows
    }


def audited(folder: Path) -> list[Json]:
    return [json.loads(line) for path in sorted((folder / "audit").rglob("*.jsonl")) for line in path.read_text().splitlines()]


def test_subscribing_is_off_unless_it_is_asked_for(shop: SandboxServer, load: Callable[..., Json]) -> None:
    report = load()
    words = Counter(each.data["consent"] for each in said(shop))
    assert requests(shop, SUBSCRIBE) == 0
    assert {word for _, _, word in held(shop)} == {"UNSUBSCRIBED"}
    assert report["reasons"]["skipped: subscribing_off"] == words["subscribed"]
    assert report["accepted"] == words["unsubscribed"] == len(held(shop))


def test_yes_and_no_land_with_shopifys_dates_and_a_second_run_sends_nothing(
    shop: SandboxServer, load: Callable[..., Json], tmp_path: Path
) -> None:
    first = load(subscribe=True)
    words = {each.data["email"]: each.data for each in said(shop)}
    holds = held(shop)
    assert {who for who, _, _ in holds} == words.keys()
    assert {channel for _, channel, _ in holds} == {"email.marketing"}  # SMS was not asked for
    for (who, _, word), since in holds.items():
        assert word == words[who]["consent"].upper()
        if word == "SUBSCRIBED":
            assert since == f"{words[who]['consented_at']} Shopify"
    assert first["accepted"] == len(words)
    assert first["reasons"]["skipped: no_consent_date"] > 0
    lines = audited(tmp_path)
    assert len(lines) == len(words)
    assert {(each["outcome"], each["channel"]) for each in lines} == {("accepted", "email.marketing")}
    assert {each["key"] for each in lines} == {each.key for each in said(shop)}
    asked = (requests(shop, SUBSCRIBE), requests(shop, UNSUBSCRIBE))
    second = load(subscribe=True)
    assert (second["unchanged"], second["accepted"]) == (len(words), 0)
    assert (requests(shop, SUBSCRIBE), requests(shop, UNSUBSCRIBE)) == asked
    assert held(shop) == holds


def test_sms_goes_where_it_is_asked_for(shop: SandboxServer, load: Callable[..., Json]) -> None:
    load(subscribe=True, channels=BOTH)
    expected = Counter((each.data["channels"][0], each.data["consent"].upper()) for each in said(shop, BOTH))
    assert Counter((channel, word) for _, channel, word in held(shop)) == expected
    assert {channel for channel, _ in expected} == set(BOTH)


def test_a_newer_no_in_klaviyo_wins_over_the_shops_yes(shop: SandboxServer, load: Callable[..., Json]) -> None:
    load(subscribe=True)
    yes = next(each.data["email"] for each in said(shop) if each.data["consent"] == "subscribed")
    shop.klaviyo.unsubscribe(yes)
    report = load(subscribe=True)
    assert report["reasons"]["skipped: unsubscribed_in_klaviyo"] == 1
    assert report["accepted"] == 0
    assert (yes, "email.marketing", "UNSUBSCRIBED") in held(shop)


def test_the_example_loads_the_shops_consent(shop: SandboxServer, run_dag: RunDag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for option in ("staging_path", "audit_path"):
        monkeypatch.setenv(f"AIRFLOW__KLAVIYO__{option.upper()}", f"file://{tmp_path}/{option}")
    run = run_dag(example("shopify_consent_to_klaviyo"), run_conf={"start": LONG_AGO})
    assert run.state == "success"
    assert {who for who, _, _ in held(shop)} == {each.data["email"] for each in said(shop)}


def test_the_example_stops_before_it_unsubscribes_more_than_was_meant(
    shop: SandboxServer, run_dag: RunDag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option in ("staging_path", "audit_path"):
        monkeypatch.setenv(f"AIRFLOW__KLAVIYO__{option.upper()}", f"file://{tmp_path}/{option}")
    dag = example("shopify_consent_to_klaviyo")
    for task in dag.tasks:
        task.retries = 0
    assert run_dag(dag, run_conf={"start": LONG_AGO, "max_change": 1}).state == "failed"
    assert held(shop) == {}
