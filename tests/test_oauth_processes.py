# SPDX-License-Identifier: Apache-2.0
"""Real processes that share a token in Airflow's real Variables, while the local Klaviyo replaces every refresh token that is used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.sandbox.klaviyo.oauth import CLIENT_ID, CLIENT_SECRET

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

PROCESSES = 4
REQUESTS = 60
WORK = """
import json, sys, time
from airflow_provider_klaviyo.api import lists
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook

print("ready", flush=True)
told, done, error = input(), 0, ""
with KlaviyoHook("klaviyo_app").session() as klaviyo:
    try:
        while done < int(sys.argv[1]):
            klaviyo.send(lists.list_())
            done += 1
            time.sleep(0.05)
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
    print(json.dumps({"done": done, "error": error, "renewals": klaviyo.requests["POST /oauth/token"]}))
"""


@pytest.mark.slow
def test_processes_that_renew_at_once_do_not_end_each_other_s_token(sandbox: SandboxServer, airflow_db: None) -> None:
    sandbox.klaviyo.behaviour.rotation = "rotate"
    sandbox.klaviyo.behaviour.token_seconds = 62  # is renewed two seconds after it was had
    extra = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": sandbox.klaviyo.grants.authorise()}
    connection = json.dumps({"conn_type": "klaviyo", "host": sandbox.url, "extra": extra})
    env = {**os.environ, "AIRFLOW_CONN_KLAVIYO_APP": connection, "_AIRFLOW_PROCESS_CONTEXT": "server"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(REQUESTS)],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout
        assert "ready" in worker.stdout.readline()
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    ended = [worker.communicate(timeout=300) for worker in workers]
    told: list[dict[str, Any]] = [json.loads(out.splitlines()[-1]) for out, _ in ended]
    assert [(each["done"], each["error"]) for each in told] == [(REQUESTS, "")] * PROCESSES
    renewed = sandbox.klaviyo.requests["POST /oauth/token"]
    assert renewed == sum(each["renewals"] for each in told) >= 2
    family = sandbox.klaviyo.grants.families[-1]
    assert len(family.spent) == renewed
    for secret in (CLIENT_SECRET, *family.spent, *family.access):
        assert all(secret not in out + errors for out, errors in ended)
