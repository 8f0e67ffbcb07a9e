# SPDX-License-Identifier: Apache-2.0
"""A provider's metadata that Airflow's schemas refuse breaks ``import airflow`` itself."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib import metadata, resources
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from airflow_provider_klaviyo.provider import get_provider_info
from airflow_provider_klaviyo.settings import EXTRAS

INFO = get_provider_info()
CONNECTIONS = {each["connection-type"]: each for each in INFO["connection-types"]}


def schema(name: str) -> Any:
    return json.loads(resources.files("airflow").joinpath(name).read_text(encoding="utf-8"))


def test_airflow_accepts_it_at_run_time() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


def test_the_forms_and_fields_are_as_airflow_describes_them() -> None:
    described = schema("provider.yaml.schema.json")
    parts = {name: INFO[name] for name in INFO if name in described["properties"]}
    jsonschema.validate(parts, {**described, "required": []})


def test_the_name_is_the_distribution_s() -> None:
    assert metadata.metadata("airflow-provider-klaviyo")["Name"] == INFO["package-name"]


def test_it_imports_nothing_of_airflow() -> None:
    code = (
        "import sys; from airflow_provider_klaviyo.provider import get_provider_info; get_provider_info();"
        " print([name for name in sys.modules if name.partition('.')[0] in {'airflow', 'httpx', 'pydantic'}])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("conn_type", CONNECTIONS)
def test_the_hooks_exist_and_belong_to_their_connection(conn_type: str) -> None:
    module, _, name = CONNECTIONS[conn_type]["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert hook.conn_type == conn_type
    assert hook.hook_name == CONNECTIONS[conn_type]["hook-name"]
    assert hook.conn_name_attr == f"{conn_type}_conn_id"
    assert hook.default_conn_name == f"{conn_type}_default"


def test_every_module_that_is_listed_exists() -> None:
    groups = [each["python-modules"] for kind in ("hooks", "operators", "sensors", "triggers") for each in INFO[kind]]
    for module in [*(name for group in groups for name in group), *(each["python-module"] for each in INFO["transfers"])]:
        assert importlib.import_module(module).__doc__


def test_the_form_has_every_extra_that_is_read() -> None:
    assert set(CONNECTIONS["klaviyo"]["conn-fields"]) == EXTRAS


@pytest.mark.parametrize(
    ("conn_type", "secret"),
    [("klaviyo", "webhook_secret"), ("klaviyo", "client_secret"), ("klaviyo", "refresh_token"), ("shopify", "client_secret")],
)
def test_secrets_are_password_fields(conn_type: str, secret: str) -> None:
    assert CONNECTIONS[conn_type]["conn-fields"][secret]["schema"]["format"] == "password"


def test_airflow_lists_the_connections_with_their_fields() -> None:
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    for conn_type, hook_class in (("klaviyo", "KlaviyoHook"), ("shopify", "ShopifyHook")):
        hook = ProvidersManagerTaskRuntime().hooks[conn_type]
        assert hook is not None
        assert hook.hook_class_name.endswith(f".{hook_class}")
        assert hook.package_name == INFO["package-name"]
        assert hook.connection_testable
    assert "password" in ProvidersManager().field_behaviours["klaviyo"]["relabeling"]


def test_the_configuration_is_known_to_airflow() -> None:
    from airflow.configuration import conf

    assert conf.get("klaviyo", "staging_path") == ""
