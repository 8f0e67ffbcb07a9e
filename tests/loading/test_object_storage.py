# SPDX-License-Identifier: Apache-2.0
"""A stage in an object store, which has no folders: none to make, none to find empty, none to remove."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from airflow_provider_klaviyo.loading import Plan, load
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import emails, happenings, people, session


class Key:
    """A key of a bucket, as ``ObjectStoragePath`` shows it."""

    def __init__(self, bucket: dict[str, bytes], path: str) -> None:
        self.bucket, self.path = bucket, path

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> Key:
        return Key(self.bucket, self.path.rpartition("/")[0])

    def __truediv__(self, name: str) -> Key:
        return Key(self.bucket, f"{self.path}/{name}")

    def __str__(self) -> str:
        return f"s3://{self.path}"

    def exists(self) -> bool:
        return any(key == self.path or key.startswith(f"{self.path}/") for key in self.bucket)

    def iterdir(self) -> Iterator[Key]:
        if not self.exists():
            raise FileNotFoundError(self.path)
        for name in sorted({key[len(self.path) + 1 :].split("/")[0] for key in self.bucket if key.startswith(f"{self.path}/")}):
            yield self / name

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """There is nothing to make."""

    def open(self, mode: str) -> Any:
        if mode == "rb":
            return io.BytesIO(self.read_bytes())
        return _Upload(self)

    def read_bytes(self) -> bytes:
        if self.path not in self.bucket:
            raise FileNotFoundError(self.path)
        return self.bucket[self.path]

    def write_bytes(self, data: bytes) -> None:
        self.bucket[self.path] = data

    def unlink(self) -> None:
        del self.bucket[self.path]

    def rmdir(self) -> None:
        raise NotADirectoryError(self.path)


class _Upload(io.BytesIO):
    """What is written is there when it is closed."""

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key

    def close(self) -> None:
        if not self.closed:
            self.key.write_bytes(self.getvalue())
        super().close()


def test_a_load_leaves_nothing_but_its_rejects_and_its_ledger(klaviyo: SandboxServer) -> None:
    bucket: dict[str, bytes] = {}
    stage, state = Key(bucket, "bucket/stage"), Key(bucket, "bucket/state")
    with session(klaviyo) as api:
        report = load(api, people(5), Plan(kind="profiles", staging_path=stage))
    assert (report.loaded, emails(klaviyo)) == (5, {row.data["email"] for row in people(5)})
    assert bucket == {}
    for accepted in (8, 0):
        with session(klaviyo) as api:
            report = load(api, happenings(8), Plan(kind="events", staging_path=stage, state_path=state))
        assert (report.accepted, report.unchanged) == (accepted, 8 - accepted)
    assert [key.rpartition(".")[2] for key in bucket if "/state/" in key] == ["accepted"]
    assert [key for key in bucket if "/stage/" in key and "/rejects/" not in key] == []
