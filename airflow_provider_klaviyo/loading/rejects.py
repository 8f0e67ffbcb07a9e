# SPDX-License-Identifier: Apache-2.0
"""The file of rows that were not loaded: written at the end of a load, and read when only those are to be loaded again."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import chain
from uuid import uuid4

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.kinds import digest
from airflow_provider_klaviyo.loading.plan import Folder
from airflow_provider_klaviyo.loading.rows import Fate, Json
from airflow_provider_klaviyo.loading.seen import Seen, seen

AGAIN = frozenset({Fate.REJECTED, Fate.UNKNOWN})
"""Fates of rows that are loaded again."""


def write(path: Folder, lines: Iterable[Json]) -> tuple[dict[str, int], str]:
    """
    Write every row that was not loaded, with its reason, as a line of JSON.

    :param path: The file; an earlier run's is replaced, or deleted where nothing was rejected.
    :param lines: The rows.
    :return: How many there are by ``fate: code``, and the file, or ``""`` where there is none.
    """
    reasons: dict[str, int] = {}
    lines = iter(lines)
    first = next(lines, None)
    if first is None:
        if path.exists():
            path.unlink()  # it would be taken for this run's
        return reasons, ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for line in chain((first,), lines):
            told = {name: value for name, value in line.items() if name != "at"}
            reason = f"{told['fate']}: {told['code']}"
            reasons[reason] = reasons.get(reason, 0) + 1
            file.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    return reasons, str(path)


def lines_in(path: Folder) -> Iterable[Json]:
    """
    Yield the lines of a rejects file.

    :param path: The file, plain or compressed.
    :raises KlaviyoConfigError: It is not there, or no rejects file.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise KlaviyoConfigError(f"There is no rejects file at {path}. A load that rejects nothing leaves none.") from None
    with file, gzip.open(file) if path.name.endswith(".gz") else file as plain:
        for number, line in enumerate(plain, 1):
            try:
                told = json.loads(line)
                yield {**told, "key": str(told["key"]), "fate": Fate(told["fate"])}
            except (ValueError, KeyError, TypeError):
                raise KlaviyoConfigError(f"{path} is no rejects file of a load: its line {number} has no key and fate.") from None


def keys_in(path: Folder, stack: ExitStack) -> Seen:
    """
    Return which rows an earlier load has rejected, or does not know about.

    :param path: Its rejects file.
    :param stack: Closes it.
    :raises KlaviyoConfigError: It is not there, or no rejects file.
    """
    keys = stack.enter_context(seen())
    keys.update((digest(line["key"]) for line in lines_in(path) if line["fate"] in AGAIN and line["key"]), 0)
    return keys


def check_writable(option: str, folder: Folder) -> None:
    """
    Find out whether a folder can be written to, before anything depends on it.

    :param option: What named it, for the message.
    :param folder: The folder.
    :raises KlaviyoConfigError: It cannot.
    """
    probe = folder / f".klaviyo-{uuid4().hex[:8]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise KlaviyoConfigError(f"{option}: {folder} cannot be written to ({type(error).__name__}). Nothing was sent.") from error
