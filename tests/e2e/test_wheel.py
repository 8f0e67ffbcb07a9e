# SPDX-License-Identifier: Apache-2.0
"""The wheel, as it is installed: in a clean environment with nothing of the clone around."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]


def run(*command: str, cwd: Path, **environ: str) -> str:
    """Run a command that must succeed, without the clone's own environment; return what it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=inherited | environ, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def uv() -> str:
    if not (found := shutil.which("uv")):
        pytest.skip("uv is not installed: it builds the wheel")
    return found


@pytest.fixture(scope="module")
def wheel(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(uv, "build", "--wheel", "--out-dir", str(out), str(CLONE), cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_holds_what_users_need_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "airflow_provider_klaviyo/py.typed" in names
    assert "airflow_provider_klaviyo/api/operations.json" in names
    assert "airflow_provider_klaviyo/sandbox/shopify/schema.graphql" in names
    assert "airflow_provider_klaviyo/example_dags/shopify_to_klaviyo.py" in names
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"airflow_provider_klaviyo"}
    assert not [name for name in names if "test" in name.lower()]


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_runs_the_demo_in_a_clean_environment(wheel: Path, uv: str, tmp_path: Path) -> None:
    newest = tomllib.loads((CLONE / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
    run(uv, "venv", "--python", sys.executable, str(tmp_path / "venv"), cwd=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    run(uv, "pip", "install", "--python", str(python), "--exclude-newer", newest, f"{wheel}[sandbox]", cwd=tmp_path)
    home = str(tmp_path / "airflow")
    shown = run(str(python), "-m", "airflow", "providers", "list", "--output", "plain", cwd=tmp_path, AIRFLOW_HOME=home)
    assert "airflow-provider-klaviyo" in shown
    printed = run(str(python.with_name("klaviyo-sandbox")), "demo", cwd=tmp_path)
    assert "Every row is accounted for." in printed
