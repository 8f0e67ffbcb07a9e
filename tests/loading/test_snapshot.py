# SPDX-License-Identifier: Apache-2.0
"""The snapshot is never wrong about what Klaviyo holds: whoever dies, whoever else is at it, it forgets rather than lies."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klaviyo.loading.plan import Folder
from airflow_provider_klaviyo.loading.snapshot import BLOCK, PAIR, TRAILER, Snapshot, fingerprints
from tests.loading.test_object_storage import Key

ONE, TWO, THREE = b"\x00" * 8, b"\xff" * 8, b"\x80" + b"\x00" * 7
OLD, NEW, OTHER = b"old-----", b"new-----", b"\xfe\x00other-"[:8]
NAMES = (ONE, TWO, THREE)


def known(folder: Folder, *identities: bytes) -> dict[bytes, bytes | None]:
    with fingerprints() as held:
        Snapshot(folder).read(held)
        return {each: held.get(each) for each in identities or NAMES}


def loaded(folder: Folder, load_id: str, rows: dict[bytes, bytes], forget: Iterable[bytes] = ()) -> None:
    """Do what a load does that nobody disturbs."""
    snapshot = Snapshot(folder)
    snapshot.begin(load_id, [*rows, *forget])
    snapshot.replace(load_id, rows.items(), forget)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_loaded_is_known_afterwards_and_later_loads_add_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "people"
    assert known(folder) == {ONE: None, TWO: None, THREE: None}
    loaded(folder, "first", {ONE: OLD, TWO: OLD})
    loaded(folder, "second", {TWO: NEW, THREE: NEW})
    assert known(folder) == {ONE: OLD, TWO: NEW, THREE: NEW}
    loaded(folder, "third", {ONE: NEW}, forget=[TWO])
    assert known(folder) == {ONE: NEW, TWO: None, THREE: NEW}
    assert files(folder) == ["000000000006-third.snapshot"]


def test_a_row_that_is_to_be_forgotten_and_was_taken_is_kept(tmp_path: Path) -> None:
    """A load may forget all it sent, and then add what Klaviyo took of it."""
    snapshot = Snapshot(tmp_path)
    snapshot.begin("load", [ONE, TWO])
    snapshot.replace("load", [(ONE, NEW)], [ONE, TWO])
    assert known(tmp_path) == {ONE: NEW, TWO: None, THREE: None}


def test_a_load_that_sends_nothing_writes_nothing(tmp_path: Path) -> None:
    loaded(tmp_path / "none", "empty", {})
    assert not (tmp_path / "none").exists()
    loaded(tmp_path, "first", {ONE: OLD})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    loaded(tmp_path, "empty", {})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_was_taken_in_stays_when_it_is_taken_in_again(tmp_path: Path) -> None:
    """A load that dies between this and its last word in the journal is finished once more."""
    loaded(tmp_path, "first", {ONE: OLD, TWO: OLD})
    loaded(tmp_path, "mine", {ONE: NEW}, forget=[TWO])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    Snapshot(tmp_path).replace("mine", [(ONE, NEW)], [TWO])
    assert known(tmp_path) == {ONE: NEW, TWO: None, THREE: None}
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_another_load_has_sent_since_is_not_taken_back(tmp_path: Path) -> None:
    loaded(tmp_path, "mine", {ONE: NEW, TWO: NEW})
    loaded(tmp_path, "other", {ONE: OTHER, THREE: OTHER})
    Snapshot(tmp_path).replace("mine", [(ONE, NEW), (TWO, NEW)], [])
    assert known(tmp_path)[ONE] in {OTHER, None}
    assert known(tmp_path)[TWO] in {NEW, None}
    assert known(tmp_path)[THREE] == OTHER


def test_many_loads_leave_no_more_than_one(tmp_path: Path) -> None:
    sizes: set[int] = set()
    for number in range(4):
        loaded(tmp_path, f"load {number}", {ONE: NEW})
        sizes.update(path.stat().st_size for path in tmp_path.iterdir())
    assert len(sizes) == 1


def test_rows_that_were_not_begun_are_not_taken_in(tmp_path: Path) -> None:
    loaded(tmp_path, "first", {ONE: OLD})
    Snapshot(tmp_path).replace("other", [(ONE, NEW), (TWO, NEW)], [])
    assert known(tmp_path) == {ONE: None, TWO: None, THREE: None}


def test_what_is_being_sent_has_no_fingerprint_of_before(tmp_path: Path) -> None:
    """Else a load that dies would leave a row for unchanged that Klaviyo holds otherwise, once the source has changed back."""
    loaded(tmp_path, "first", {ONE: OLD, TWO: OLD})
    Snapshot(tmp_path).begin("dies", [ONE])
    assert known(tmp_path)[ONE] not in {OLD, NEW, None}
    assert known(tmp_path)[TWO] == OLD


def test_to_begin_again_takes_nothing_back_from_a_load_that_came_between(tmp_path: Path) -> None:
    """The next try of a load begins again; what it sent before is then another load's to know."""
    snapshot = Snapshot(tmp_path)
    snapshot.begin("mine", [ONE, TWO])
    loaded(tmp_path, "other", {ONE: OTHER})
    snapshot.begin("mine", [ONE, TWO])
    snapshot.replace("mine", [(ONE, NEW), (TWO, NEW)], [])
    assert known(tmp_path) == {ONE: None, TWO: NEW, THREE: None}


class Loads:
    """Loads that send rows one by one, each with a word of its own, and Klaviyo, which holds what was sent last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.snapshot = folder, Snapshot(folder)
        self.klaviyo: dict[bytes, bytes] = {}
        self.about: dict[str, list[bytes]] = {}
        self.sent: dict[str, list[bytes]] = {}

    def begin(self, load: str, about: list[bytes]) -> None:
        self.about[load] = about
        self.sent.setdefault(load, [])
        self.snapshot.begin(load, about)

    def send(self, load: str) -> None:
        for identity in self.about[load][len(self.sent[load]) :][:1]:
            self.klaviyo[identity] = self.word(load)
            self.sent[load].append(identity)

    def end(self, load: str) -> None:
        self.snapshot.replace(load, [(each, self.word(load)) for each in self.sent[load]], self.about[load])

    @staticmethod
    def word(load: str) -> bytes:
        return f"word of {load}"[-8:].encode()

    def check(self) -> None:
        """Every fingerprint is of what Klaviyo holds, or a mark, which is no row's."""
        words = {self.word(load) for load in self.about}
        for identity, fingerprint in known(self.folder).items():
            assert fingerprint not in words or fingerprint == self.klaviyo[identity]


ABOUT = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)


@settings(deadline=None)
@given(st.lists(st.tuples(ABOUT, st.integers(0, 3), st.booleans(), st.booleans()), max_size=5))
def test_no_fingerprint_is_ever_wrong_wherever_loads_die(loads: list[tuple[list[bytes], int, bool, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = Loads(Path(folder))
        for at, (about, sends, twice, dies) in enumerate(loads):
            load = f"load {at}"
            done.begin(load, about)
            for _ in range(sends):
                done.send(load)
                done.check()
                if twice:
                    done.begin(load, about)
            if not dies:
                done.end(load)
                after = known(done.folder)
                if twice:
                    done.end(load)
                assert known(done.folder) == after
            done.check()


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=12, max_size=20), st.lists(ABOUT, min_size=3, max_size=3))
def test_no_fingerprint_is_wrong_after_loads_that_went_on_at_once(turns: list[int], about: list[list[bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = Loads(Path(folder))

        def steps(at: int) -> Iterator[None]:
            done.begin(f"load {at}", about[at])
            yield
            for _ in about[at]:
                done.send(f"load {at}")
                yield
            done.begin(f"load {at}", about[at])  # another try of it
            yield
            done.end(f"load {at}")
            yield

        loads = [steps(at) for at in range(3)]
        for at in [*turns, *([0, 1, 2] * 6)]:
            next(loads[at], None)
        done.check()


@settings(deadline=None)
@given(st.dictionaries(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8)), st.sets(st.binary(min_size=8, max_size=8)))
def test_a_snapshot_is_as_a_dictionary_would_be(rows: dict[bytes, bytes], forget: set[bytes]) -> None:
    forget |= set(list(rows)[::2])
    with tempfile.TemporaryDirectory() as folder:
        loaded(Path(folder), "first", rows)
        names = {ONE, *rows, *forget}
        assert known(Path(folder), *names) == {each: rows.get(each) for each in names}
        loaded(Path(folder), "second", {}, forget)
        assert known(Path(folder), *names) == {each: None if each in forget else rows.get(each) for each in names}


# ── files that are not whole ──


@pytest.fixture
def newest(tmp_path: Path) -> Path:
    """Make a snapshot of three rows, and one before it of one."""
    loaded(tmp_path, "before", {ONE: OLD})
    (kept,) = tmp_path.iterdir()
    text = kept.read_bytes()
    loaded(tmp_path, "newest", {ONE: NEW, TWO: NEW, THREE: NEW})
    (path,) = tmp_path.iterdir()
    kept.write_bytes(text)
    return path


def test_of_two_the_newest_is_used(newest: Path) -> None:
    assert known(newest.parent) == {ONE: NEW, TWO: NEW, THREE: NEW}


def test_a_file_that_breaks_off_is_ignored_wherever_it_does(newest: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = newest.read_bytes()
    assert len(whole) == (3 + 1) * PAIR.size + TRAILER.size, "the rows, and that the load was taken in"
    for length in range(len(whole)):
        newest.write_bytes(whole[:length])
        assert known(newest.parent) == {ONE: OLD, TWO: None, THREE: None}, length
    assert "is not complete" in caplog.text


def test_a_file_with_a_wrong_byte_is_ignored_wherever_it_is(newest: Path) -> None:
    whole = newest.read_bytes()
    for at in range(len(whole)):
        newest.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert known(newest.parent) == {ONE: OLD, TWO: None, THREE: None}, at


def test_a_file_with_too_many_bytes_is_ignored(newest: Path) -> None:
    whole = newest.read_bytes()
    for text in (whole + b"\x00", whole + whole, whole[: PAIR.size] + whole):
        newest.write_bytes(text)
        assert known(newest.parent)[TWO] is None


def test_where_no_file_is_whole_nothing_is_known(newest: Path) -> None:
    for path in newest.parent.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    assert known(newest.parent) == {ONE: None, TWO: None, THREE: None}


def test_a_writer_that_died_is_cleared_away_and_harms_nobody(newest: Path) -> None:
    newest.write_bytes(newest.read_bytes()[:-1])
    (newest.parent / "notes.txt").write_text("not ours")
    loaded(newest.parent, "next", {TWO: NEW})
    assert known(newest.parent) == {ONE: OLD, TWO: NEW, THREE: None}
    assert files(newest.parent) == ["000000000006-next.snapshot", "notes.txt"]


def many(count: int) -> Iterable[tuple[bytes, bytes]]:
    return ((blake2b(b"%d" % at, digest_size=8).digest(), b"%08d" % at) for at in range(count))


def test_many_rows_are_kept_across_blocks_and_any_block_may_be_the_last(tmp_path: Path) -> None:
    count = 2 * BLOCK + 7
    loaded(tmp_path, "before", {ONE: OLD})
    (kept,) = tmp_path.iterdir()
    text = kept.read_bytes()
    loaded(tmp_path, "many", dict(many(count)))
    with fingerprints() as held:
        Snapshot(tmp_path).read(held)
        assert all(held.get(identity) == fingerprint for identity, fingerprint in many(count))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    kept.write_bytes(text)
    for block in (1, 2):
        for off in (-TRAILER.size, -PAIR.size, -1, 0, 1, PAIR.size, TRAILER.size):
            path.write_bytes(whole[: block * BLOCK * PAIR.size + off])
            assert known(tmp_path, ONE, next(iter(many(1)))[0]) == {ONE: OLD, next(iter(many(1)))[0]: None}


def test_python_holds_no_more_for_more_rows(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        snapshot = Snapshot(tmp_path)
        snapshot.begin("load", (identity for identity, _ in many(100_000)))
        snapshot.replace("load", many(100_000), [])
        with fingerprints() as held:
            snapshot.read(held)
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


# ── others at the same time ──


def meddled(folder: Path, when: str, meddle: Callable[[], object]) -> Path:
    """Return the folder as one that lets something happen once, when a file in it is about to be opened or removed."""
    waiting = [meddle]

    class Meddled(type(folder)):  # type: ignore[misc]
        def open(self, mode: str = "r") -> Any:
            if when == f"open {mode}" and waiting:
                waiting.pop()()
            return super().open(mode)

        def unlink(self, missing_ok: bool = False) -> None:
            if when == "unlink" and waiting:
                waiting.pop()()
            super().unlink(missing_ok)

    return Meddled(folder)


def test_a_snapshot_that_is_replaced_between_finding_and_reading_it_is_no_reason_to_fail(tmp_path: Path) -> None:
    loaded(tmp_path, "first", {ONE: OLD})
    assert known(meddled(tmp_path, "open rb", lambda: loaded(tmp_path, "other", {ONE: NEW}))) == {ONE: NEW, TWO: None, THREE: None}


@pytest.mark.parametrize("when", ["open rb", "open wb", "unlink"])
@pytest.mark.parametrize("at", ["begin", "replace"])
def test_what_another_load_does_while_one_is_written_is_not_lost(tmp_path: Path, when: str, at: str) -> None:
    loaded(tmp_path, "first", {ONE: OLD, TWO: OLD, THREE: OLD})
    folder = meddled(tmp_path, when, lambda: loaded(tmp_path, "other", {TWO: OTHER}))
    Snapshot(folder if at == "begin" else tmp_path).begin("mine", [ONE])
    Snapshot(folder if at == "replace" else tmp_path).replace("mine", [(ONE, NEW)], [])
    assert known(tmp_path) == {ONE: NEW, TWO: OTHER, THREE: OLD}
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("at", "when", "left"),
    [
        ("begin", "open rb", NEW),  # the other has ended before: this one's word came last
        ("begin", "open wb", NEW),
        ("begin", "unlink", None),
        ("replace", "open rb", None),
        ("replace", "open wb", None),
        ("replace", "unlink", None),
    ],
)
def test_a_row_that_two_loads_send_at_once_is_sent_again(tmp_path: Path, at: str, when: str, left: bytes | None) -> None:
    """Whose word came last at Klaviyo is not known: neither fingerprint may stay."""
    loaded(tmp_path, "first", {ONE: OLD, THREE: OLD})
    other = Snapshot(tmp_path)
    other.begin("other", [ONE])
    folder = meddled(tmp_path, when, lambda: other.replace("other", [(ONE, OTHER)], []))
    Snapshot(folder if at == "begin" else tmp_path).begin("mine", [ONE])
    Snapshot(folder if at == "replace" else tmp_path).replace("mine", [(ONE, NEW)], [])
    assert known(tmp_path) == {ONE: left, TWO: None, THREE: OLD}


def test_a_file_that_is_still_being_written_is_no_end_of_the_one_before(tmp_path: Path) -> None:
    loaded(tmp_path, "first", {ONE: OLD})
    with (tmp_path / "000000000009-slow.snapshot").open("wb") as slow:
        slow.write(PAIR.pack(1, 1) * 3)
        slow.flush()
        loaded(tmp_path, "mine", {TWO: NEW})
    assert known(tmp_path) == {ONE: OLD, TWO: NEW, THREE: None}


def test_another_load_that_dies_while_one_is_written_takes_nothing_with_it(tmp_path: Path) -> None:
    """What it left is not complete, and looks newer: the snapshot is written once more, and not from what this one wrote itself."""
    Snapshot(tmp_path).begin("mine", [ONE])
    folder = meddled(tmp_path, "open wb", lambda: (tmp_path / "000000000002-other.snapshot").write_bytes(b"half"))
    Snapshot(folder).replace("mine", [(ONE, NEW)], [])
    assert known(tmp_path) == {ONE: NEW, TWO: None, THREE: None}
    assert files(tmp_path) == ["000000000003-mine.snapshot"]


# ── object storage ──


class Stored(Key):
    """A key whose removal by somebody else shows as it does in a store."""

    def unlink(self) -> None:
        if self.path not in self.bucket:
            raise FileNotFoundError(self.path)
        super().unlink()

    @property
    def parent(self) -> Stored:
        return Stored(self.bucket, super().parent.path)

    def iterdir(self) -> Any:
        return (Stored(self.bucket, each.path) for each in super().iterdir())

    def __truediv__(self, name: str) -> Stored:
        return Stored(self.bucket, super().__truediv__(name).path)


def test_an_object_store_keeps_it_without_renaming(tmp_path: Path) -> None:
    bucket: dict[str, bytes] = {}
    folder = Stored(bucket, "bucket/state/people")
    assert known(folder) == {ONE: None, TWO: None, THREE: None}
    loaded(folder, "first", {ONE: OLD, TWO: OLD})
    loaded(folder, "second", {TWO: NEW}, forget=[ONE])
    assert known(folder) == {ONE: None, TWO: NEW, THREE: None}
    assert list(bucket) == ["bucket/state/people/000000000004-second.snapshot"]
