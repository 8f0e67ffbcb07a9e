# SPDX-License-Identifier: Apache-2.0
"""Of several words about one person and channel the last one holds, and where no date tells which that is, the no does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_klaviyo.loading.lastword import last_words, overruled, rank
from airflow_provider_klaviyo.loading.rows import Fate, Outcome

Json = dict[str, Any]
Said = tuple[str, str | None]

DAYS = {day: f"2025-06-{day:02}T00:00:00+00:00" for day in range(1, 10)}
WORDS = st.lists(
    st.tuples(st.sampled_from(["subscribe", "unsubscribe", "suppress", "unsuppress"]), st.sampled_from([None, 1, 2, 3])), max_size=7
)
YES, NO = "subscribe", ("unsubscribe", "suppress")


def word(action: str, day: int | None = None, **known: str) -> Json:
    dated = {} if day is None else {"consented_at": DAYS[day]}
    return {"action": action, "channel": "email.marketing", "email": "sarah@example.com", **known, **dated}


def kept(*said: tuple[str, int | None]) -> list[tuple[str, int | None]]:
    """Return the words that hold, as they were said."""
    found = last_words((f"row {at}", word(*each)) for at, each in enumerate(said))
    return [said[int(each[0].removeprefix("row "))] for each in found if isinstance(each, tuple)]


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ([("subscribe", 1), ("unsubscribe", 2)], [("unsubscribe", 2)]),
        ([("subscribe", 2), ("unsubscribe", 1)], [("subscribe", 2)]),
        ([("subscribe", 1), ("unsubscribe", 1)], [("unsubscribe", 1)]),
        ([("subscribe", 9), ("unsubscribe", None)], [("unsubscribe", None)]),
        ([("subscribe", None), ("unsubscribe", 1)], [("unsubscribe", 1)]),
        ([("subscribe", None), ("unsubscribe", None)], [("unsubscribe", None)]),
        ([("subscribe", 1), ("suppress", 2)], [("suppress", 2)]),
        ([("subscribe", 2), ("suppress", 1)], [("subscribe", 2)]),
        ([("subscribe", 1), ("subscribe", 3), ("subscribe", 2)], [("subscribe", 3)]),
        ([("subscribe", None), ("subscribe", 1)], [("subscribe", 1)]),
        ([("unsubscribe", 1), ("unsubscribe", 2), ("subscribe", 1)], [("unsubscribe", 2)]),
        ([("suppress", 1), ("unsuppress", 2)], [("unsuppress", 2)]),
        ([("suppress", 2), ("unsuppress", 1)], [("suppress", 2)]),
        ([("suppress", None), ("unsuppress", None)], [("suppress", None)]),
        ([("unsubscribe", 1), ("suppress", 2)], [("unsubscribe", 1), ("suppress", 2)]),
        ([("unsubscribe", 1), ("unsuppress", 2)], [("unsubscribe", 1), ("unsuppress", 2)]),
        ([("subscribe", 1), ("unsuppress", 2)], [("subscribe", 1), ("unsuppress", 2)]),
    ],
)
def test_the_later_word_holds_in_whatever_order_the_source_has_them(
    said: list[tuple[str, int | None]], holds: list[tuple[str, int | None]]
) -> None:
    for order in permutations(said):
        assert sorted(map(str, kept(*order))) == sorted(map(str, holds))


@given(said=WORDS)
def test_no_yes_stands_beside_a_no_that_may_be_later_and_no_no_is_lost_but_to_a_later_yes(said: list[tuple[str, int | None]]) -> None:
    lost = overruled({at: (each[0], rank(word(*each))) for at, each in enumerate(said)})
    holding = [each for at, each in enumerate(said) if at not in lost]
    for action, day in holding:
        if action == YES:
            assert all(other is not None and day is not None and other < day for what, other in said if what in NO)
    assert len({action for action, _ in holding}) == len(holding), "once each"
    assert not {"suppress", "unsuppress"} <= {action for action, _ in holding}
    for at, code in lost.items():
        action, day = said[at]
        same = [other for what, other in said if what == action]
        if code == "duplicate":
            assert len(same) > 1
        elif action in NO:
            yeses = [
                other
                for what, other in said
                if what in {"subscribe", "unsuppress" if action == "suppress" else "subscribe"} and other is not None
            ]
            assert day is not None
            assert max(yeses) > day
    assert bool(said) is bool(holding), "somebody who said something is not forgotten"


def test_every_word_and_every_outcome_comes_out_once() -> None:
    ended = Outcome("row x", Fate.REJECTED, "check", "no_identifier", "")

    def rows() -> Iterator[Any]:
        for at in range(2_500):
            yield f"row {at}", word("unsubscribe" if at % 3 else "subscribe", 1 + at % 5, email=f"P{at % 700}@example.com")
            if at % 1000 == 0:
                yield ended

    found = list(last_words(rows()))
    assert len(found) == 2_500 + 3
    outcomes = [each for each in found if isinstance(each, Outcome)]
    assert {(each.code, each.fate, each.stage) for each in outcomes} == {
        ("duplicate", Fate.DUPLICATE, "dedupe"),
        ("contradicted", Fate.SKIPPED, "dedupe"),
        ("no_identifier", Fate.REJECTED, "check"),
    }
    assert "example.com" not in "".join(each.reason for each in outcomes)
    keys = [each.key if isinstance(each, Outcome) else each[0] for each in found if each != ended]
    assert sorted(keys) == sorted(f"row {at}" for at in range(2_500))
    places = [int(key.removeprefix("row ")) for key in keys]
    assert places == sorted(places), "in the order of the source"


def test_people_and_channels_are_told_apart_and_addresses_compared_without_case() -> None:
    phone = {"phone_number": "+14155550123"}
    said = [
        ("a", word("subscribe", 1, email="Sarah@Example.com", **phone)),
        ("b", word("unsubscribe", 2)),
        ("c", word("subscribe", 1, email="tom@example.com")),
        ("d", word("subscribe", 1, **phone) | {"channel": "sms.marketing"}),
        ("e", word("unsubscribe", 2, **phone) | {"channel": "sms.transactional"}),
        ("f", word("unsubscribe", 2, email="other@example.com", **phone) | {"channel": "sms.marketing"}),
    ]
    assert [each[0] for each in last_words(said) if isinstance(each, tuple)] == ["b", "c", "e", "f"]


def test_words_come_back_as_they_were() -> None:
    said: list[tuple[str, Mapping[str, Any]]] = [("a", word("subscribe", 1, email="zoë@exämple.com")), ("half \ud83d", word("suppress"))]
    assert list(last_words(said)) == said  # type: ignore[arg-type]
    assert list(last_words([])) == []


def test_a_source_that_fails_leaves_nothing_behind(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def rows() -> Iterator[Any]:
        yield "a", word("subscribe", 1)
        assert list(tmp_path.iterdir())
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(last_words(rows()))
    assert list(tmp_path.iterdir()) == []
