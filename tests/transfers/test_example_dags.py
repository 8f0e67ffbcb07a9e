# SPDX-License-Identifier: Apache-2.0
"""The example DAGs that read a database do what they say, against the local Klaviyo."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import profiles
from airflow_provider_klaviyo.loading import Fate
from airflow_provider_klaviyo.sandbox.klaviyo import later
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.kit import FULL
from tests.loading.kit import emails, held, session
from tests.operators.test_examples import load
from tests.transfers.example_warehouse import DUE, example_warehouse
from tests.transfers.warehouse import Warehouse

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

LONG_AGO = "2000-01-01T00:00:00+00:00"
Json = dict[str, Any]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def places(sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what loads keep lie in a folder of the test's own, and Klaviyo carry out at once what it accepts."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    # Airflow's test of a DAG writes it down as it finds it in its folder, and we as we have loaded it: not again within a test.
    monkeypatch.setenv("AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL", "86400")
    for option in ("staging_path", "state_path", "audit_path"):
        monkeypatch.setenv(f"AIRFLOW__KLAVIYO__{option.upper()}", f"file://{tmp_path}/{option}")


@pytest.fixture
def run(run_dag: Callable[..., DagRun]) -> Run:
    """Return a function that runs an example as if it were due at four in the morning, and returns what its tasks returned."""

    def run(name: str, *, state: str = "success", due: datetime = DUE, **conf: Any) -> dict[str, Any]:
        done = run_dag(load(name), logical_date=due, run_conf=conf)
        assert done.state == state
        returned = {}
        for instance in done.get_task_instances():
            asked: dict[str, Any] = {"task_ids": instance.task_id, "map_indexes": instance.map_index}
            # A load that fails leaves its report all the same.
            found = instance.xcom_pull(**asked, key="report") or instance.xcom_pull(**asked)
            if isinstance(found, dict) and "accounted" in found:
                assert found["accounted"]
                assert found["read"] == sum(found[fate] for fate in Fate) or found["preview"]
            returned[instance.task_id] = found
        return returned

    return run


@pytest.fixture
def lay(sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Warehouse]]:
    """Return a function that lays the tables of an example."""
    opened = []

    def lay(name: str, database: Any = "sqlite", due: datetime = DUE) -> Warehouse:
        opened.append(example_warehouse(name, sandbox, tmp_path, monkeypatch, database, due))
        made = opened[-1].__enter__()
        assert made is not None
        return made

    yield lay
    for each in opened:
        each.__exit__(None, None, None)


def carried_out(sandbox: SandboxServer) -> None:
    """Let Klaviyo carry out what it has accepted."""
    with sandbox.klaviyo.lock:
        later.settle(sandbox.klaviyo)


def person(sandbox: SandboxServer, email: str) -> Json:
    """Return what Klaviyo holds of somebody."""
    from airflow_provider_klaviyo.api import filters

    with session(sandbox) as klaviyo:
        (found,) = klaviyo.walk(profiles.list_(filter=filters.equals("email", email)))
    attributes: Json = found["attributes"]
    return attributes


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_warehouse_lands_in_klaviyo_by_the_day_and_from_the_beginning_once(
    sandbox: SandboxServer, lay: Any, run: Run, database: str
) -> None:
    due = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0)
    due -= timedelta(days=due > datetime.now(UTC))
    lay("warehouse_to_klaviyo", database, due)
    reports = run("warehouse_to_klaviyo", due=due)
    assert (reports["customers_to_profiles"]["loaded"], reports["orders_to_events"]["accepted"]) == (3, 3)
    sarah = person(sandbox, "sarah@example.com")
    assert (sarah["first_name"], sarah["phone_number"], sarah["location"]["city"]) == ("Sarah", "+447400123456", "London")
    assert sarah["properties"] == {
        "Interests": ["tea", "bikes"],
        "Plan": "gold",
        "Lifetime Value": 1234.5,
        "First Order": "2025-03-01T00:00:00+00:00",
    }
    assert [(row[0], row[1], row[3], row[4]) for row in held(sandbox)["events"]] == [
        ("mia@example.com", "Cancelled Order", "1002", 0),
        ("mia@example.com", "Placed Order", "1002", 1),
        ("sarah@example.com", "Placed Order", "1001", 0),
    ]
    reports = run("warehouse_to_klaviyo", due=due, start=LONG_AGO)
    assert (
        reports["customers_to_profiles"]["loaded"],
        reports["orders_to_events"]["accepted"],
        reports["orders_to_events"]["unchanged"],
    ) == (4, 1, 3)
    assert "old@example.com" in emails(sandbox)
    assert "new@example.com" not in emails(sandbox)


DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgres"] if FULL else ["sqlite"])


@DATABASES
def test_a_list_has_the_members_that_the_query_names_and_does_not_lose_too_many(
    sandbox: SandboxServer, lay: Any, run: Run, database: str
) -> None:
    made = lay("list_sync", database)
    run("list_sync")
    best = {("Best customers", who) for who in ("sarah@example.com", "+447400123457", "old@example.com", "new@example.com")}
    assert set(held(sandbox)["members"]) == best
    made.run("UPDATE customers SET lifetime_value = 0 WHERE id < 4")
    run("list_sync", state="failed")
    assert set(held(sandbox)["members"]) == best
    made.run("UPDATE customers SET lifetime_value = 5000")
    run("list_sync")
    assert set(held(sandbox)["members"]) == best | {("Best customers", "mia@example.com")}
    made.fill("customers", [(6, "zoe@example.com", *[None] * 6, 1000, None, None)])
    preview = run("list_sync", preview=True)["sync"]
    assert (preview["preview"], preview["read"], preview["unchanged"]) == (True, 6, 5)
    assert set(held(sandbox)["members"]) == best | {("Best customers", "mia@example.com")}


@DATABASES
def test_a_night_sends_what_has_changed_since_the_last(sandbox: SandboxServer, lay: Any, run: Run, database: str) -> None:
    made = lay("nightly_skip_unchanged", database)
    assert run("nightly_skip_unchanged")["customers"]["loaded"] == 5
    made.run("UPDATE customers SET plan = 'platinum' WHERE id = 3")
    made.fill("customers", [(6, "n/a", None, "Nobody", *[None] * 7)])
    report = run("nightly_skip_unchanged", state="failed")["customers"]
    assert (report["loaded"], report["unchanged"], report["rejected"]) == (1, 4, 1)
    assert made.run("SELECT * FROM klaviyo_rejects")
    assert run("nightly_skip_unchanged", state="failed", resend=True)["customers"]["loaded"] == 5


@DATABASES
def test_the_newest_word_of_a_person_comes_from_the_crm(sandbox: SandboxServer, lay: Any, run: Run, database: str) -> None:
    lay("crm_consent_to_klaviyo", database)
    report = run("crm_consent_to_klaviyo")["consent"]
    carried_out(sandbox)
    said = sandbox.klaviyo.db.execute(
        "SELECT coalesce(p.email, p.phone_number), c.channel, c.consent FROM consents c JOIN profiles p ON p.id = c.profile_id ORDER BY 1"
    ).fetchall()
    assert said == [
        ("+447400123456", "sms.marketing", "SUBSCRIBED"),
        ("mia@example.com", "email.marketing", "UNSUBSCRIBED"),
        ("sarah@example.com", "email.marketing", "SUBSCRIBED"),
    ]
    assert (report["read"], report["accepted"], report["skipped"]) == (5, 3, 2)
    assert set(held(sandbox)["members"]) == {("Newsletter", "sarah@example.com"), ("Newsletter", "+447400123456")}


@DATABASES
def test_people_who_ask_for_it_are_erased_and_their_requests_closed(sandbox: SandboxServer, lay: Any, run: Run, database: str) -> None:
    made = lay("gdpr_erasure", database)
    run("gdpr_erasure")
    carried_out(sandbox)
    assert emails(sandbox) == {"mia@example.com", "done@example.com"}
    assert made.run("SELECT count(*) FROM erasure_requests WHERE done_at IS NULL") == [(0,)]
    made.fill("erasure_requests", [(at, "mia@example.com", None, None) for at in range(4, 4 + 51)])
    run("gdpr_erasure", state="failed")
    assert "mia@example.com" in emails(sandbox)


def test_shopify_s_tables_in_a_warehouse_are_the_events_that_the_shop_itself_gives(
    sandbox: SandboxServer, lay: Any, run: Run, tmp_path: Path
) -> None:
    lay("shopify_warehouse_to_klaviyo")
    run("shopify_to_klaviyo", start=LONG_AGO)
    of_shop = events(sandbox)
    reports = run("shopify_warehouse_to_klaviyo")
    assert events(sandbox) == of_shop  # whoever changes from one to the other counts nothing twice
    assert [reports[each]["accepted"] for each in ("orders_to_events", "lines_to_events")] == [0, 0]
    sandbox.klaviyo.reset()
    shutil.rmtree(tmp_path / "state_path")
    reports = run("shopify_warehouse_to_klaviyo")
    of_tables = events(sandbox)
    orders = (row.data for row in sandbox.shopify.store.orders.values())
    callers = {node["legacyResourceId"] for node in orders if not node["customer"] and not node["email"]}  # an order's own number
    known = {each for each in of_shop if each[3].partition(":")[0] not in callers}
    assert {each for each in known if each[1] != "Fulfilled Partial Order"} == of_tables.keys()
    for each, said in of_tables.items():
        assert said.keys() <= of_shop[each].keys() | {"Item Count"}
        assert {name: of_shop[each].get(name) for name in said.keys() - IN_OTHER_WORDS} == {
            name: said[name] for name in said.keys() - IN_OTHER_WORDS
        }
        for item, there in zip(said.get("Items", ()), of_shop[each].get("Items", ()), strict=True):
            assert item.items() <= there.items()
    assert len(held(sandbox)["members"]) == reports["customers_to_profiles"]["loaded"] > 50


IN_OTHER_WORDS = {"Items", "ItemNames", "Brands", "Item Count"}
"""What lists are in another order, or are left out where they are empty."""


def events(sandbox: SandboxServer) -> dict[tuple[Any, ...], Json]:
    """Return the properties of all events, by whose they are, metric, time and id."""
    return {row[:4]: json.loads(row[5]) for row in held(sandbox)["events"]}
