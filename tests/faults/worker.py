# SPDX-License-Identifier: Apache-2.0
"""
A worker that dies, or is taken over, at a step of its life: a note in the journal, a file, or a request.

Whoever is dead writes nothing any more and hears no answer; what it had sent is carried out all the same.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import httpx

T = TypeVar("T")

Death = Literal["before", "after", "torn", "overtaken"]
"""When it ends: before a step, after it, in the middle of writing a file, or never, but from then on another try writes the journal."""


class Killed(BaseException):
    """The worker is gone."""


class Superseded(Exception):  # noqa: N818 - what Airflow's store says is no error of ours
    """Another try of the task has taken over: this one may write no more."""


class Life:
    """
    The steps of one try, counted over all its threads.

    :param at: The step at which it ends; 0 for a natural end.
    :param how: How it ends there.
    :param what: A pattern of the steps that are counted.
    :param overtake: What the try that takes over does, all of it.
    """

    def __init__(self, at: int = 0, how: Death = "before", what: str = "", overtake: Callable[[], None] = lambda: None) -> None:
        self.at, self.how, self.what, self.overtake = at, how, what, overtake
        self.steps: list[str] = []
        self._counted = 0
        self.dead = self.stale = False
        self._lock = threading.Lock()

    def do(self, what: str, act: Callable[[], T], torn: Callable[[], object] = lambda: None) -> T:
        """
        Take a step, or die of it.

        :param what: What it is, for a message.
        :param act: The step.
        :param torn: Half of it.
        """
        last = self._last(what)
        if last and self.how == "overtaken":
            self.overtake()
        elif last and self.how == "torn":
            torn()
        if (last and self.how in {"before", "torn"}) or (self.dead and not last):
            raise Killed
        result = act()
        if self.dead:  # in the meantime, or by this very step
            raise Killed
        return result

    def _last(self, what: str) -> bool:
        with self._lock:
            if self.dead:
                return False
            self.steps.append(what)
            self._counted += bool(re.search(self.what, what))
            last = self._counted == self.at and bool(re.search(self.what, what))
            self.stale = self.stale or (last and self.how == "overtaken")
            self.dead = last and self.how != "overtaken"
            return last


@dataclass(frozen=True, slots=True)
class Note:
    """
    Something that was written down.

    :param key: Under what.
    :param value: What.
    :param at: Its place among all notes and requests.
    """

    key: str
    value: Any
    at: int


class Notes:
    """
    What one try sees of the store: it keeps what it read, and may not write once it is superseded.

    :param store: What survives every worker.
    :param life: The try.
    :param note: Takes down what was written.
    """

    def __init__(self, store: dict[str, Any], life: Life, note: Callable[[str, Any], None]) -> None:
        self._store, self._life, self._note = store, life, note
        self._kept: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key; Airflow tells a superseded try that there is none."""
        if key not in self._kept and not self._life.stale:
            self._kept[key] = self._store.get(key)
        found = self._kept.get(key)
        return default if found is None else found

    def set(self, key: str, value: Any) -> None:
        """Set a key."""
        written = json.loads(json.dumps(value))
        self._life.do(f"note {key}", lambda: self._write(key, written))
        self._kept[key] = written

    def _write(self, key: str, value: Any) -> None:
        if self._life.stale:
            raise Superseded(key)
        self._store[key] = value
        self._note(key, value)


@dataclass(frozen=True)
class MortalPath:
    """
    A folder or file as a load needs it, each use of which is a step.

    :param path: Where it is.
    :param life: The try that uses it.
    """

    path: Path
    life: Life = field(compare=False)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.name

    @property
    def parent(self) -> Self:
        """The folder it lies in."""
        return type(self)(self.path.parent, self.life)

    def __truediv__(self, name: str) -> Self:
        return type(self)(self.path / name, self.life)

    def exists(self) -> bool:
        """Whether anything is there."""
        return self.path.exists()

    def iterdir(self) -> Iterator[Self]:
        """Yield what lies in it."""
        return (type(self)(each, self.life) for each in sorted(self.path.iterdir()))

    def mkdir(self, *, parents: bool = False, exist_ok: bool = False) -> None:
        """Make it a folder."""
        self.life.do(f"mkdir {self.name}", lambda: self.path.mkdir(parents=parents, exist_ok=exist_ok))

    def open(self, mode: str) -> Any:
        """Open it: what is written comes to be as a whole when it is closed, or in half if the worker dies of it."""
        if "w" in mode:
            return self._writing()
        self.life.do(f"open {self.name}", self.path.exists)
        return self.path.open(mode)

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        parts: list[bytes] = []
        yield _Writer(parts)
        self.write_bytes(b"".join(parts))

    def read_bytes(self) -> bytes:
        """Return what is in it."""
        return self.life.do(f"read {self.name}", self.path.read_bytes)

    def write_bytes(self, data: bytes) -> int:
        """Replace what is in it."""
        half = data[: len(data) // 2 + 1]
        return self.life.do(f"write {self.name}", lambda: self.path.write_bytes(data), lambda: self.path.write_bytes(half))

    def unlink(self) -> None:
        """Delete it."""
        self.life.do(f"delete {self.name}", self.path.unlink)

    def rmdir(self) -> None:
        """Delete it, an empty folder."""
        self.life.do(f"rmdir {self.name}", self.path.rmdir)


class _Writer:
    """A file that is being written."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def write(self, data: bytes) -> int:
        """Write on."""
        self._parts.append(data)
        return len(data)


@dataclass(frozen=True, slots=True)
class Sent:
    """
    A request that left, as its sender knows it.

    :param name: Method and path.
    :param body: What it carried.
    :param load: The load it belongs to, by the journal.
    :param status: The answer's status; ``None`` where none was heard.
    :param job: The id of what was answered.
    :param reached: Whether it may have been carried out, for all its sender knows.
    :param stale: Whether another try had taken over by then.
    :param at: Its place among all notes and requests.
    """

    name: str
    body: bytes
    load: str
    status: int | None
    job: str
    reached: bool
    stale: bool
    at: int


class Wire(httpx.BaseTransport):
    """
    The way to Klaviyo. Each request is a step; some get lost as a script says.

    :param life: The try that sends.
    :param lose: Says of a method and path what the network does to it: ``connect``, ``before``, ``after``, or nothing.
    :param note: Takes down what was sent.
    """

    def __init__(
        self, life: Life, lose: Callable[[str, str], str], note: Callable[[httpx.Request, httpx.Response | None, bool], None]
    ) -> None:
        self._life, self._lose, self._note = life, lose, note
        self._network = httpx.HTTPTransport(limits=httpx.Limits(max_connections=100, max_keepalive_connections=32))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request there and its answer back."""
        request.read()
        response: httpx.Response | None = None
        reached = True
        try:
            response = self._life.do(f"{request.method} {request.url.path}", lambda: self._carried(request))
            return response
        except httpx.ConnectError:
            reached = False
            raise
        finally:
            self._note(request, response, reached)

    def _carried(self, request: httpx.Request) -> httpx.Response:
        match self._lose(request.method, request.url.path):
            case "connect":
                raise httpx.ConnectError("nobody listens", request=request)
            case "before":
                raise httpx.ReadTimeout("no answer in time", request=request)
            case "after":
                self._answer(request)
                raise httpx.ReadTimeout("no answer in time", request=request)
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        response = self._network.handle_request(request)
        try:
            content = b"".join(response.stream)  # type: ignore[arg-type]
        finally:
            response.close()
        return httpx.Response(response.status_code, headers=response.headers, content=content, request=request)

    def close(self) -> None:
        """Close its connections."""
        self._network.close()
