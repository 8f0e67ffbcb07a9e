# SPDX-License-Identifier: Apache-2.0
"""541,909 messy order lines become events, and each that does not has a reason that a person can act on."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_klaviyo.loading import Fate, FieldMapping, LoadReport
from airflow_provider_klaviyo.loading import load as load_rows
from airflow_provider_klaviyo.operators.base import Journal
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from airflow_provider_klaviyo.transfers.sql_to_klaviyo import SqlToKlaviyoEventsOperator
from tests.loading.kit import accounted, rejects, session
from tests.transfers.messy import LINES, OrderLines, Tally
from tests.transfers.messy_faults import BAD_EMAILS, BAD_PHONES, Line
from tests.transfers.sql_kit import context
from tests.transfers.warehouse import Warehouse, warehouse

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

FEW = 20_000
TABLE = """
    CREATE TABLE order_lines (
        line_no INTEGER PRIMARY KEY, line_id TEXT, invoice_no TEXT, stock_code TEXT, description TEXT, quantity INTEGER, unit_price NUMERIC,
        amount NUMERIC, invoice_date TEXT, customer_id TEXT, email TEXT, phone TEXT, country TEXT, options TEXT, delivered_at TIMESTAMP
    )
"""
SQL = """
    SELECT
        CASE WHEN invoice_no LIKE 'C%' THEN 'Cancelled Order' ELSE 'Ordered Product' END AS metric,
        'GBP' AS currency, line_no, line_id, invoice_no, stock_code, description, quantity, unit_price, amount, invoice_date, customer_id,
        email, phone, country, options, delivered_at
    FROM order_lines
    WHERE {where}
    ORDER BY line_no
"""
MAPPING = {
    "metric": FieldMapping("metric", "metric"),
    "time": FieldMapping("invoice_date", "time"),
    "email": FieldMapping("email", "profile.email"),
    "phone": FieldMapping("phone", "profile.phone_number"),
    "customer": FieldMapping("customer_id", "profile.external_id"),
    "id": FieldMapping("line_id", "unique_id"),
    "value": FieldMapping("amount", "value"),
    "currency": FieldMapping("currency", "value_currency"),
    "order": FieldMapping("invoice_no", "properties.OrderId"),
    "sku": FieldMapping("stock_code", "properties.SKU"),
    "name": FieldMapping("description", "properties.ProductName"),
    "quantity": FieldMapping("quantity", "properties.Quantity"),
    "price": FieldMapping("unit_price", "properties.ItemPrice"),
    "country": FieldMapping("country", "properties.Country"),
    "options": FieldMapping("options", "properties.Options", "json"),
    "delivered": FieldMapping("delivered_at", "properties.Delivered"),
}
SECRETS = {*BAD_EMAILS, *(phone for phone in BAD_PHONES if len(phone) > 4), "customer.", "guest.", "@ex", "07400", "07401", "+447400"}
CODES = {"no_identifier", "bad_time", "naive_time", "time_out_of_range", "unique_id_too_long", "duplicate"}


@pytest.fixture
def klaviyo(sandbox: SandboxServer) -> SandboxServer:
    """Hand out the local Klaviyo."""
    sandbox.klaviyo.behaviour.job_seconds = 0
    return sandbox


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """Hand out a warehouse with an empty table of order lines."""
    with warehouse(request.param, tmp_path, monkeypatch) as made:
        made.run(TABLE)
        yield made


def filled(shop: Warehouse, lines: int) -> Tally:
    """Fill the table, and return what must become of the lines."""
    made = OrderLines(shop.database, lines)
    shop.fill("order_lines", made)
    assert shop.run("SELECT count(*) FROM order_lines") == [(lines,)]
    return made.tally


def operator(folder: Path, where: str = "1 = 1", **fields: Any) -> SqlToKlaviyoEventsOperator:
    """Make the load of the order lines."""
    given: dict[str, Any] = {
        "task_id": "order_lines",
        "sql": SQL.format(where=where),
        "sql_conn_id": "warehouse",
        "mapping": list(MAPPING.values()),
        "key_field": "line_no",
        "default_region": "GB",
        "allowed_rejects": 0.3,  # a quarter of the lines is nobody's
        "staging_path": f"file://{folder}/stage",
        "state_path": f"file://{folder}/state",
        "rejects_path": f"file://{folder}/rejects.jsonl",
        "poll_interval": 0.1,
    }
    return SqlToKlaviyoEventsOperator(**given | fields)


def load(sandbox: SandboxServer, made: SqlToKlaviyoEventsOperator) -> LoadReport:
    """Run the operator's query and plan by a clock that does not wait for Klaviyo's limits: they would take minutes."""
    given = context()
    with session(sandbox) as klaviyo:
        return checked(load_rows(klaviyo, made.rows(given, Journal(given)), made._plan(given), sleep=lambda _: None))


def checked(report: LoadReport) -> LoadReport:
    """Check that a report adds up; it names its rejects file as object storage does."""
    return accounted(replace(report, rejects_path=report.rejects_path.removeprefix("file://")))


def became(report: LoadReport) -> dict[str, tuple[str, str]]:
    """Return the fate and code of each line that was not sent."""
    return {line["key"]: (line["fate"], line["code"]) for line in rejects(report)}


def holds(sandbox: SandboxServer) -> tuple[Counter[str], dict[str, Decimal]]:
    """Return how many events of each metric Klaviyo holds, and what they are worth, to the cent."""
    count: Counter[str] = Counter()
    worth: dict[str, Decimal] = {}
    ask = "SELECT metrics.name, events.properties FROM events JOIN metrics ON metrics.id = events.metric_id"
    for metric, properties in sandbox.klaviyo.db.execute(ask):
        count[metric] += 1
        if (value := json.loads(properties).get("$value")) is not None:
            worth[metric] = worth.get(metric, Decimal(0)) + Decimal(repr(value))
    return count, worth


def is_as_told(sandbox: SandboxServer, report: LoadReport, tally: Tally) -> None:
    """Hold a report, its rejects file and what Klaviyo holds against what the maker of the lines said."""
    assert report.read == tally.read == sum(tally.fates.values())
    assert {fate: count for fate in Fate if (count := getattr(report, fate))} == dict(tally.fates)
    assert report.reasons == Counter(f"{fate}: {code}" for fate, code in tally.ended.values())
    assert report.dropped == dict(tally.dropped)
    assert became(report) == tally.ended
    assert holds(sandbox) == (tally.held, tally.worth)
    assert sandbox.klaviyo.counts()["profiles"] == len(tally.people)


@pytest.mark.slow  # a minute and a half, a half of it the local Klaviyo's
def test_541_909_messy_lines_become_events_and_the_second_run_sends_nothing(
    klaviyo: SandboxServer, shop: Warehouse, tmp_path: Path
) -> None:
    tally = filled(shop, LINES)
    report = load(klaviyo, operator(tmp_path))
    assert report.read == LINES
    is_as_told(klaviyo, report, tally)
    sent = klaviyo.klaviyo.requests.copy()
    again = load(klaviyo, operator(tmp_path))
    assert (again.accepted, again.unchanged, again.rejected) == (0, report.accepted + report.duplicate, report.rejected)
    assert {name for name, count in (klaviyo.klaviyo.requests - sent).items() if count} == {"GET /api/accounts"}
    assert holds(klaviyo) == (tally.held, tally.worth)


@pytest.mark.parametrize("reading", ["drop", "refuse"])
def test_a_task_accounts_for_every_line_and_the_next_run_for_every_line_again(
    klaviyo: SandboxServer, shop: Warehouse, run_dag: Callable[..., DagRun], tmp_path: Path, reading: Any
) -> None:
    klaviyo.klaviyo.behaviour.reused_unique_id = reading
    tally = filled(shop, FEW)
    with DAG("order_lines", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        operator(tmp_path)
    for accepted in (tally.fates["accepted"], 0):
        run = run_dag(dag)
        assert run.state == "success"
        instance = run.get_task_instance("order_lines")
        assert instance is not None
        report = checked(LoadReport.of(instance.xcom_pull(task_ids="order_lines")))
        assert report.accepted == accepted
        assert holds(klaviyo) == (tally.held, tally.worth)
        if accepted:
            is_as_told(klaviyo, report, tally)
    assert report.unchanged == tally.fates["accepted"] + tally.fates["duplicate"]


def test_each_reason_is_a_sentence_that_names_the_column_or_the_remedy_and_quotes_nobody(
    klaviyo: SandboxServer, shop: Warehouse, tmp_path: Path
) -> None:
    filled(shop, FEW)
    report = load(klaviyo, operator(tmp_path))
    lines = rejects(report)
    assert {line["code"] for line in lines} == CODES
    seen: dict[tuple[str, str], Any] = {}
    for line in lines:
        assert re.fullmatch(r"\d+", line["key"])
        assert len(line["reason"].split()) > 5
        assert line["pointer"] or line["code"] == "duplicate"
        assert line["stage"] in {"map", "check", "dedupe"}
        seen.setdefault((line["code"], line["reason"]), line)
    for line in seen.values():  # `pytest -s` shows them, for a person to judge
        print(json.dumps(line, ensure_ascii=False))  # noqa: T201
    written = Path(report.rejects_path).read_text(encoding="utf-8") + str(report)
    assert [secret for secret in SECRETS if secret in written] == []


def test_who_follows_the_reasons_has_the_lines_loaded(klaviyo: SandboxServer, shop: Warehouse, tmp_path: Path) -> None:
    """The rejects are loaded again, by their own file, once the mapping does what the reasons say."""
    tally = filled(shop, FEW)
    load(klaviyo, operator(tmp_path))
    mended = {
        **MAPPING,
        "time": FieldMapping("invoice_date", "time", "iso8601:Europe/London"),
        "id": FieldMapping("line_id", "unique_id", lambda text: text[:255]),
    }
    again = operator(
        tmp_path,
        mapping=list(mended.values()),
        retry_rejects=f"file://{tmp_path}/rejects.jsonl",
        rejects_path=f"file://{tmp_path}/rejects-again.jsonl",
        allowed_rejects=FEW,
    )
    codes = Counter(code for fate, code in tally.ended.values() if fate == "rejected")
    report = load(klaviyo, again)
    helped = codes["naive_time"] + codes["unique_id_too_long"]
    assert report.accepted + report.duplicate == helped
    assert report.reasons.get("rejected: no_identifier") == codes["no_identifier"]


def test_cancellations_are_events_of_their_own_or_left_to_the_query(klaviyo: SandboxServer, shop: Warehouse, tmp_path: Path) -> None:
    tally = filled(shop, FEW)
    ((cancelled,),) = shop.run("SELECT count(*) FROM order_lines WHERE invoice_no LIKE 'C%'")
    report = load(klaviyo, operator(tmp_path, where="invoice_no NOT LIKE 'C%'"))
    assert report.read == FEW - cancelled
    assert set(holds(klaviyo)[0]) == {"Ordered Product"}
    report = load(klaviyo, operator(tmp_path))
    assert report.accepted == tally.held["Cancelled Order"] == holds(klaviyo)[0]["Cancelled Order"]


def test_a_line_of_nothing_at_all_is_rejected_and_the_others_go(klaviyo: SandboxServer, shop: Warehouse, tmp_path: Path) -> None:
    good = next(iter(OrderLines(shop.database, FEW)))._replace(email="sarah@example.com")
    nothing: Any = [2, *[None] * (len(Line._fields) - 1)]
    shop.fill("order_lines", [good, nothing])
    report = load(klaviyo, operator(tmp_path, allowed_rejects=1))
    assert (report.read, report.accepted, report.reasons) == (2, 1, {"rejected: no_identifier": 1})


def test_text_that_is_no_utf_8_and_a_date_without_end_are_one_lines_own_fault(
    klaviyo: SandboxServer, shop: Warehouse, tmp_path: Path
) -> None:
    good = next(iter(OrderLines(shop.database, FEW)))._replace(email="sarah@example.com")
    shop.fill("order_lines", [good, good._replace(line_no=2, line_id="2")])
    worse = {"sqlite": "description = CAST(x'536172ff6168' AS TEXT)", "postgres": "delivered_at = 'infinity'"}[shop.database]
    shop.run(f"UPDATE order_lines SET {worse} WHERE line_no = 2")  # noqa: S608 - our own words
    report = load(klaviyo, operator(tmp_path))
    assert (report.read, report.accepted) == (2, 2)
    assert report.dropped == ({"properties.ProductName: not_unicode": 1} if shop.database == "sqlite" else {})
