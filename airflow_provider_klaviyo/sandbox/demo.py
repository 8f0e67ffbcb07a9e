# SPDX-License-Identifier: Apache-2.0
"""``klaviyo-sandbox demo``: a shop's customers and orders land in Klaviyo, by the example DAG, in front of your eyes."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow_provider_klaviyo.sandbox.readback import read_back
from airflow_provider_klaviyo.sandbox.runs import DemoError, InProcess, Job, Standalone, ask, environment, free_port, process

DAG_ID = "shopify_to_klaviyo"
TASKS = ("customers_to_profiles", "orders_to_events")
HISTORY = "2000-01-01T00:00:00Z"
KEY, TOKEN = "pk_sandbox", "shpat_sandbox"

Json = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``klaviyo-sandbox demo``."""
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="folder with customers.jsonl.gz and orders.jsonl.gz; by default a shop is made up"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write what happened as JSON")
    parser.add_argument("--limits", choices=("documented", "off"), default="documented", help="Klaviyo's rate limits")
    parser.add_argument(
        "--runs", type=int, default=1, metavar="N", help="run the DAG so often on the same sandbox; the report is about the last run"
    )
    parser.add_argument(
        "--reused-unique-id", choices=("drop", "refuse"), default="drop", help="what Klaviyo's bulk request does with an id it has seen"
    )
    parser.add_argument(
        "--scheduler", action="store_true", help="run under a real scheduler and triggerer (airflow standalone), waiting deferred"
    )
    parser.add_argument("--ui", action="store_true", help="likewise, and leave Airflow running to look at")


def run(arguments: argparse.Namespace) -> int:
    """
    Run the demo.

    :return: The exit code: 0 where every row is accounted for.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    started = time.monotonic()
    home = Path(tempfile.mkdtemp(prefix="klaviyo-demo-"))
    keep = False
    try:
        dags = home / "dags"
        dags.mkdir()
        shutil.copy(example_dag(), dags)
        airflow = (Standalone if arguments.ui or arguments.scheduler else InProcess)(home / "airflow", dags)
        with sandbox(arguments, home) as url:
            tell(started, f"The sandbox is Klaviyo and Shopify at {url}.")
            job = Job(DAG_ID, {"start": HISTORY}, TASKS, connections(url))
            with airflow.started(job):
                for _ in range(arguments.runs):
                    before = Counter(ask(f"{url}/_sandbox/requests"))
                    reports = follow(airflow, job, url, started)
                result = summary(url, reports, before)
                print(table(result), flush=True)
                if arguments.report:
                    arguments.report.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
                if arguments.ui and isinstance(airflow, Standalone):
                    print(f"\nAirflow is at {airflow.url}/dags/{DAG_ID}. Press Ctrl-C to end it.", flush=True)
                    with contextlib.suppress(KeyboardInterrupt):
                        signal.pause()
        keep = not result["accounted"]
        if keep:
            print(f"The logs are in {home}.", file=sys.stderr)
        return 1 if keep else 0
    except DemoError as error:
        keep = True
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def example_dag() -> Path:
    """Return the example DAG: beside the package in a clone, inside it where it was installed."""
    package = Path(__file__).parents[1]
    for folder in (package.parent, package):
        if (found := folder / "example_dags" / f"{DAG_ID}.py").exists():
            return found
    raise DemoError(f"example_dags/{DAG_ID}.py is missing.")


def connections(url: str) -> dict[str, Json]:
    """Return the two Airflow connections to the sandbox."""
    return {
        "klaviyo_default": {"conn_type": "klaviyo", "host": url, "password": KEY},
        "shopify_default": {"conn_type": "shopify", "host": url, "password": TOKEN},
    }


@contextmanager
def sandbox(arguments: argparse.Namespace, home: Path) -> Iterator[str]:
    """Run the sandbox in a process of its own, and return its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "airflow_provider_klaviyo.sandbox.cli", "serve", "--port", str(port), "--limits", arguments.limits]
    command += ["--store", str(arguments.store.resolve())] if arguments.store else []
    log = home / "sandbox.log"
    with process(command, environment(home, home), log) as running:
        while True:
            try:
                ask(f"{url}/_sandbox/health")
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if running.poll() is not None:
                    raise DemoError(f"The sandbox does not start:\n{log.read_text()[-2000:]}") from error
                time.sleep(0.1)
        ask(f"{url}/_sandbox/settings", {"reused_unique_id": arguments.reused_unique_id})
        yield url


def follow(airflow: InProcess | Standalone, job: Job, url: str, started: float) -> dict[str, Json]:
    """Run the DAG, and say every few seconds how far it is."""
    tell(started, f"Airflow runs the DAG {job.dag_id}.")
    told, said = time.monotonic(), ""
    for news in airflow.run(job):
        if not isinstance(news, str):
            tell(started, "The DAG has succeeded. Now Klaviyo is read back.")
            return news
        now = f"{news}: {progress(url)}"
        if time.monotonic() - told >= (3 if now != said else 15):
            told, said = time.monotonic(), now
            tell(started, now)
        time.sleep(0.5)
    raise DemoError("The run ended without a word.")


def progress(url: str) -> str:
    """Say what the sandbox has received."""
    sent = ask(f"{url}/_sandbox/requests")
    bulk = {"profile imports": "profile-bulk-import-jobs", "event batches": "event-bulk-create-jobs"}
    counts = [f"{sent.get(f'POST /api/{name}', 0)} {what}" for what, name in bulk.items()]
    return ", ".join([*counts, f"{sent.get('429', 0)} times told to wait"])


def summary(url: str, reports: dict[str, Json], before: Counter[str]) -> Json:
    """Return what the shop held, what Klaviyo holds, and whether every row is accounted for; ``before``: earlier runs' requests."""
    sent = Counter(ask(f"{url}/_sandbox/requests")) - before
    held = read_back(url, KEY)
    loads = [reports[task] for task in TASKS]
    people, happenings = loads
    accounted = all(
        (
            *(load["accounted"] and not load["unknown"] for load in loads),
            held["klaviyo"]["list_members"] == people["loaded"],
            held["klaviyo"]["profiles"] >= people["loaded"],
            sum(held["klaviyo"]["events"].values()) == happenings["accepted"] + happenings["unchanged"],
        )
    )
    posts = {name: count for name, count in sent.items() if name == "429" or name.partition(" ")[2].startswith("/api/")}
    shop = ask(f"{url}/_sandbox/shop")
    return {
        "shop": {name: shop[name] for name in ("customers", "orders", "lines")},
        **held,
        "loads": loads,
        "requests": {"klaviyo": {name: count for name, count in posts.items() if name != "429"}, "429": posts.get("429", 0)},
        "accounted": accounted,
    }


def table(result: Json) -> str:
    """Write the summary for people."""
    shop, klaviyo, value = result["shop"], result["klaviyo"], result["value"]
    lines = [
        "",
        f"The shop held      {shop['customers']:>9,} customers   {shop['orders']:>9,} orders   {shop['lines']:>9,} order lines",
        f"Klaviyo holds      {klaviyo['profiles']:>9,} profiles    {klaviyo['list_members']:>9,} of them in the list",
    ]
    for metric, count in klaviyo["events"].items():
        worth = ", ".join(f"{float(total):>15,.2f} {currency}".rstrip() for currency, total in value.get(metric, {}).items())
        lines.append(f"                   {count:>9,} {metric:<24} {worth}".rstrip())
    lines += ["", "Loads"]
    for load in result["loads"]:
        counts = ", ".join(f"{load[fate]:,} {fate}" for fate in FATES if load[fate])
        lines.append(f"  {load['kind']:<9} {load['read']:>9,} read: {counts}; {load['batches']} batches, {load['seconds']:.1f} s")
        lines += [f"            {count:>9,} {reason}" for reason, count in sorted(load["reasons"].items())]
        lines += [f"            {count:>9,} field left out: {field}" for field, count in sorted(load["dropped"].items())]
    lines += ["", "Requests to Klaviyo, by the DAG"]
    lines += [f"            {count:>9,} {name}" for name, count in sorted(result["requests"]["klaviyo"].items())]
    lines.append(f"            {result['requests']['429']:>9,} times told to wait (429)")
    lines += [
        "",
        "Every row is accounted for." if result["accounted"] else "NOT every row is accounted for: the counts above do not agree.",
    ]
    return "\n".join(lines)


FATES = ("loaded", "accepted", "rejected", "duplicate", "unchanged", "skipped", "unknown")


def tell(started: float, what: str) -> None:
    """Print a line of progress."""
    print(f"{time.monotonic() - started:6.1f} s  {what}", flush=True)
