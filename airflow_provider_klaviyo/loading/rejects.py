# SPDX-License-Identifier: Apache-2.0
"""The file of rows that were not loaded: written at the end of a load, and read when only those are to be loaded again."""

from __future__ import annotations

import gzip
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from uuid import uuid4

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading.kinds import digest
from airflow_provider_klaviyo.loading.plan import Folder
from airflow_provider_klaviyo.loading.rows import Fate, Json
from airflow_provider_klaviyo.loading.seen import Seen, seen

log = logging.getLogger(__name__)

AGAIN = frozenset({Fate.REJECTED, Fate.UNKNOWN})
"""Fates of rows that are loaded again."""


def write(path: Folder, lines: Iterable[Json], *, check: Callable[[], object] = lambda: None) -> tuple[dict[str, int], str]:
    """
    Write every row that was not loaded, with its reason, as a line of JSON. Rows that there was nothing to send for are only counted.

    :param path: The file; an earlier run's is replaced, or deleted where nothing was rejected.
    :param lines: The rows.
    :param check: Called when all are read and before the file is touched; what it raises leaves the file as it was.
    :return: How many there are by ``fate: code``, and the file, or ``""`` where there is none.
    """
    reasons: dict[str, int] = {}
    with tempfile.TemporaryFile(prefix="klaviyo-rejects-") as spool:
        for line in lines:
            reason = f"{line['fate']}: {line['code']}"
            reasons[reason] = reasons.get(reason, 0) + 1
            if line["fate"] != Fate.UNCHANGED:
                told = {name: value for name, value in line.items() if name != "at"}
                spool.write(json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        check()
        if not spool.tell():
            if path.exists():
                path.unlink()  # it would be taken for this run's
            return reasons, ""
        spool.seek(0)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(spool, file)
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
    :raises KlaviyoConfigError: It is not there, no rejects file, or names no row that could be loaded again.
    """
    from airflow_provider_klaviyo.loading.prepare import names_of

    keys, named, nameless = stack.enter_context(seen()), 0, 0
    for line in lines_in(path):
        if line["fate"] in AGAIN:
            named, nameless = named + bool(line["key"]), nameless + (not line["key"])
            keys.update(map(digest, names_of(line["key"])), 0)
    if nameless:
        log.warning("%s rows of %s have no name, because Klaviyo did not say which they were: they are not loaded again.", nameless, path)
    if not named:
        raise KlaviyoConfigError(f"{path} names no row as rejected or unknown: there is nothing to load again.")
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
