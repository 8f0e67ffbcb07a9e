# SPDX-License-Identifier: Apache-2.0
"""``klaviyo-sandbox`` as a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from airflow.sdk import Connection

from airflow_provider_klaviyo.settings import Settings
from airflow_provider_klaviyo.shopify.settings import ShopifySettings

COMMAND = [sys.executable, "-m", "airflow_provider_klaviyo.sandbox.cli"]


@pytest.mark.parametrize(("how", "host"), [(signal.SIGINT, "127.0.0.1"), (signal.SIGTERM, "0.0.0.0")])  # noqa: S104 - in a container
def test_serves_until_it_is_stopped(how: signal.Signals, host: str) -> None:
    with subprocess.Popen(
        [*COMMAND, "serve", "--host", host, "--port", "0", "--limits", "off"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = "".join(iter(process.stdout.readline, "Stop with Ctrl+C.\n"))
            exported = dict(re.findall(r"^export (\w+)='(.+)'$", said, re.MULTILINE))
            assert set(exported) == {"AIRFLOW_CONN_KLAVIYO_DEFAULT", "AIRFLOW_CONN_SHOPIFY_DEFAULT"}
            klaviyo = Settings.of(Connection.from_json(exported["AIRFLOW_CONN_KLAVIYO_DEFAULT"], conn_id="klaviyo_default"))
            shopify = ShopifySettings.of(Connection.from_json(exported["AIRFLOW_CONN_SHOPIFY_DEFAULT"], conn_id="shopify_default"))
            assert (klaviyo.loopback, klaviyo.public_key, shopify.loopback) == (True, "SandBx", True)
            headers = {"Authorization": f"Klaviyo-API-Key {klaviyo.key}", "revision": "2026-10-15"}
            assert httpx.get(f"{klaviyo.base_url}/api/accounts", headers=headers).status_code == 200
            process.send_signal(how)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()  # a test that fails must not wait for it


def test_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    for wrong in (["--store", str(tmp_path / "nowhere")], ["--job-seconds", "-1"], ["--limits", "some"], ["--host", "192.0.2.1"]):
        done = subprocess.run([*COMMAND, "serve", *wrong], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2
        assert wrong[0] in done.stderr


def test_says_that_the_port_is_taken() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run([*COMMAND, "serve", "--port", port], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"127.0.0.1:{port}" in done.stderr
