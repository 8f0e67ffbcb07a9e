# SPDX-License-Identifier: Apache-2.0
"""Batches keep both of Klaviyo's limits to the byte, hold every row once and in order, and survive whatever a key may be."""

from __future__ import annotations

import gzip
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.loading import Fate, FieldMapping, Plan, Row, Skip, preview
from airflow_provider_klaviyo.loading.batches import Packer
from airflow_provider_klaviyo.loading.checks import Check
from airflow_provider_klaviyo.loading.history import History
from airflow_provider_klaviyo.loading.kinds import Kind, kind_of
from airflow_provider_klaviyo.loading.prepare import Preparation
from airflow_provider_klaviyo.loading.rows import Outcome
from airflow_provider_klaviyo.loading.seen import Seen, seen
from airflow_provider_klaviyo.loading.stage import Manifest, Stage
from airflow_provider_klaviyo.sandbox.server import SandboxServer
from tests.loading.kit import checked, happenings, people, plan, session

SIZES = st.lists(st.integers(0, 40), max_size=30)


def staged(rows: Any, made: Plan, known: Seen | None = None) -> tuple[Manifest, Stage]:
    check = Check(made.on_invalid, made.default_region)
    stage = Stage(made.staging_path / "load")
    stage.create()
    with seen() as fresh:
        kind, manifest = kind_of(made, check.now), Manifest()
        preparation = Preparation(made, kind, check, history=History(made, ""), seen=known or fresh)
        Packer(made, kind, stage, manifest).pack(preparation.items(rows))
    manifest.dropped = check.dropped
    return manifest, stage


def overhead_of(kind: Kind) -> int:
    return sum(map(len, kind.lanes["bulk"].frame))


def bodies(stage: Stage, manifest: Manifest) -> list[bytes]:
    return [gzip.decompress(stage.body(name)) for name in manifest.batches]


@settings(max_examples=60)
@given(sizes=SIZES, items=st.integers(1, 6), room=st.integers(60, 400), kind=st.sampled_from(["profiles", "events"]))
def test_batches_keep_both_limits_and_none_is_smaller_than_it_must_be(sizes: list[int], items: int, room: int, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = plan(kind, Path(folder))
        at = kind_of(made, Check().now)
        overhead = overhead_of(at)
        rows: list[Any]
        if kind == "profiles":
            rows = [Row(str(n), {"id": f"p{n}", "title": "x" * size}) for n, size in enumerate(sizes)]
        else:
            room += 200
            rows = [Row(str(n), happenings(1, start=n)[0].data | {"unique_id": f"{n}" + "x" * size}) for n, size in enumerate(sizes)]
        made = plan(kind, Path(folder), max_batch_items=items, max_batch_bytes=overhead + room)
        manifest, stage = staged(rows, made)
        written = {row.key: len(at.item(checked(at, row.data))) for row in rows}
        fitting = [key for key, size in written.items() if size <= room]
        keys = [stage.keys(name) for name in manifest.batches]
        assert [key for batch in keys for key in batch] == fitting
        assert manifest.reasons == ({"rejected: too_large": len(rows) - len(fitting)} if len(rows) > len(fitting) else {})
        assert manifest.read == len(rows)
        assert list(manifest.batches.values()) == [len(batch) for batch in keys]
        for batch, body, name in zip(keys, bodies(stage, manifest), manifest.batches, strict=True):
            assert len(batch) <= items
            assert len(body) == overhead + sum(written[key] for key in batch) + len(batch) - 1 <= made.max_batch_bytes
            assert len(stage.identities(name)) == len(at.lanes["bulk"].unpack(stage.body(name))) == len(batch)
        for batch, following in pairwise(keys):
            grown = overhead + sum(written[key] for key in (*batch, following[0])) + len(batch)
            assert len(batch) == items or grown > made.max_batch_bytes


def test_a_request_may_be_full_to_the_byte(tmp_path: Path) -> None:
    row, made = Row("a", {"id": "a"}), plan("profiles", tmp_path)
    kind = kind_of(made, Check().now)
    exact = overhead_of(kind) + len(kind.item({"id": "a"}))
    assert staged([row], plan("profiles", tmp_path, max_batch_bytes=exact))[0].batches == {"bulk-000001": 1}
    assert staged([row], plan("profiles", tmp_path, max_batch_bytes=exact - 1))[0].reasons == {"rejected: too_large": 1}


def test_under_ten_thousand_rows_but_over_five_megabytes(tmp_path: Path) -> None:
    manifest, stage = staged(people(60, title="x" * 95_000), plan("profiles", tmp_path))
    assert list(manifest.batches.values()) == [52, 8]
    assert all(len(body) <= 5_000_000 for body in bodies(stage, manifest))


@pytest.mark.parametrize(("extra", "read"), [(0, {}), (1, {"rejected: too_large": 1})])
def test_a_profile_may_have_100_kb(tmp_path: Path, extra: int, read: Any) -> None:
    kind = kind_of(plan("profiles", tmp_path), Check().now)
    empty = len(kind.item({"id": "a", "title": "x", "image": ""}))
    assert staged([{"id": "a", "title": "x", "image": "x" * (100_000 - empty + extra)}], plan("profiles", tmp_path))[0].reasons == read


def test_a_row_that_was_rejected_does_not_stand_in_the_way_of_a_better_one(tmp_path: Path) -> None:
    rows = [
        Row("1", {"email": "a@b.de", "locale": "?"}),
        Row("2", {"email": "A@B.de"}),
        Row("3", {"email": "a@b.DE"}),
        Skip("4", "test", "A test order."),
    ]
    manifest, stage = staged(rows, plan("profiles", tmp_path, on_invalid="reject_row"))
    assert stage.keys("bulk-000001") == ["2"]
    assert manifest.reasons == {"rejected: bad_locale": 1, "duplicate: duplicate": 1, "skipped: test": 1}
    assert [(line["key"], line["stage"]) for line in stage.outcomes("staging-000001")] == [("1", "check"), ("3", "dedupe"), ("4", "source")]


def test_many_outcomes_go_to_several_files(tmp_path: Path) -> None:
    manifest, stage = staged((Skip(str(at), "test", "") for at in range(20_001)), plan("profiles", tmp_path))
    assert (manifest.read, manifest.ended(Fate.SKIPPED), manifest.outcome_files) == (20_001, 20_001, 3)
    assert [line["key"] for at in (1, 2, 3) for line in stage.outcomes(f"staging-{at:06d}")] == [str(at) for at in range(20_001)]


HOSTILE = ["\u2028", "\x85", "\n", "\r\n", "half \udc80", '"', "\\", "\x00", "", "ключ", "../../etc/passwd", "\x1c\x1d"]


def test_keys_may_be_anything(tmp_path: Path) -> None:
    rows = [Row(key, {"id": f"p{at}"}) for at, key in enumerate(HOSTILE)] + [Row(key, {}) for key in HOSTILE]
    manifest, stage = staged(rows, plan("profiles", tmp_path))
    assert stage.keys("bulk-000001") == HOSTILE
    assert [line["key"] for line in stage.outcomes("staging-000001")] == HOSTILE
    assert manifest.ended(Fate.REJECTED) == len(HOSTILE)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_outcomes_come_back_as_they_were(words: list[tuple[str, str]]) -> None:
    outcomes = [Outcome(key, Fate.REJECTED, "check", "bad", reason, pointer=key) for key, reason in words]
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder) / "load")
        stage.create()
        stage.put_outcomes("x", outcomes)
        assert list(stage.outcomes("x")) == [each.as_json() for each in outcomes]
        assert list(stage.outcomes("y")) == []
        stage.remove()
        stage.remove()
        assert not (Path(folder) / "load").exists()


def test_rows_are_named_by_a_column_or_their_place(tmp_path: Path) -> None:
    rows = [{"n": 7, "mail": "x"}, {"n": 8, "mail": "y"}]
    mapping = [FieldMapping("mail", "email")]
    _, stage = staged(rows, plan("profiles", tmp_path, mapping=mapping, key_field="n"))
    assert [line["key"] for line in stage.outcomes("staging-000001")] == ["7", "8"]
    _, stage = staged(rows, plan("profiles", tmp_path, mapping=mapping))
    assert [line["key"] for line in stage.outcomes("staging-000001")] == ["row 1", "row 2"]
    with pytest.raises(KlaviyoConfigError, match="no column 'nmae', which key_field names; it has n, mail"):
        staged(rows, plan("profiles", tmp_path, mapping=mapping, key_field="nmae"))


def test_a_mapping_that_fails_rejects_its_row(tmp_path: Path) -> None:
    mapping = [FieldMapping("mail", "email", "lower"), FieldMapping("age", "properties.age", "number")]
    rows = [{"mail": "A@B.de", "age": "12"}, {"mail": "c@d.de", "age": "twelve"}, {"mail": "e@f.de", "age": ""}]
    manifest, stage = staged(rows, plan("profiles", tmp_path, mapping=mapping, on_invalid="reject_row"))
    assert manifest.reasons == {"rejected: unconvertible": 1}
    (line,) = stage.outcomes("staging-000001")
    assert (line["key"], line["stage"], line["pointer"]) == ("row 2", "map", "properties.age")
    assert "twelve" not in json.dumps(line)
    manifest, _ = staged(rows, plan("profiles", tmp_path, mapping=mapping))
    assert (manifest.reasons, manifest.dropped) == ({}, {"properties.age: unconvertible": 1})


def test_old_events_start_no_flows(tmp_path: Path) -> None:
    now = Check().now
    rows = [Row(str(days), happenings(1)[0].data | {"unique_id": str(days), "time": now.replace(microsecond=0)}) for days in (0,)]
    rows += [Row("old", happenings(1)[0].data | {"unique_id": "old", "time": "2026-01-01T00:00:00Z"})]
    for after, expected in ((plan("events", tmp_path).backfill_after, [None, True]), (None, [None, None])):
        made = plan("events", tmp_path, backfill_after=after)
        _, stage = staged(rows, made)
        items = kind_of(made, now).lanes["bulk"].unpack(stage.body("bulk-000001"))
        assert [item["attributes"]["events"]["data"][0]["attributes"].get("backfill") for item in items] == expected


def test_a_preview_counts_shows_five_and_touches_nothing(klaviyo: SandboxServer, tmp_path: Path) -> None:
    rows: list[Row | Skip] = [*people(7), *people(1), Row("bad", {"email": "bad"}), Skip("s", "test", "")]
    made = plan("profiles", tmp_path, state_path=tmp_path / "state", rejects_path=tmp_path / "rejects")
    with session(klaviyo) as api:
        report = preview(iter(rows), made, api)
    assert (report.read, report.duplicate, report.rejected, report.skipped, report.loaded) == (10, 1, 1, 1, 0)
    assert report.accounted
    assert [each["attributes"]["email"] for each in report.payloads] == [f"p{at:05d}@example.com" for at in range(5)]
    assert list(tmp_path.iterdir()) == []
    assert not [each for each in klaviyo.klaviyo.requests if not each.startswith("GET ")]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "profile"},
        {"on_invalid": "drop"},
        {"list_id": "L", "kind": "events"},
        {"allowed_rejects": -1},
        {"max_batch_bytes": 0},
        {"max_batch_bytes": 5_000_001},
        {"max_batch_items": 0},
        {"in_flight": 0},
    ],
    ids=str,
)
def test_a_plan_that_cannot_work_is_refused(tmp_path: Path, fields: Any) -> None:
    with pytest.raises(KlaviyoConfigError):
        plan(**{"kind": "profiles", "folder": tmp_path, **fields})
