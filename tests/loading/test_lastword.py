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
        assert list(tmp_path.iterdir()) == [], "nor does one that is killed"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(last_words(rows()))
    assert list(tmp_path.iterdir()) == []


# ── identifiers that several people share ───────────────────────────────────────────


def sent(*said: Json) -> list[set[str]]:
    """Return by what the words are known that hold."""
    return [each[1].keys() & {"email", "phone_number", "id"} for each in last_words(enumerate(said)) if isinstance(each, tuple)]  # type: ignore[arg-type]


def test_a_yes_does_not_bring_a_number_that_stands_beside_another_address_too() -> None:
    family = [word("subscribe", 1, email=f"{name}@example.com", phone_number="+14155550123") for name in ("a", "b")]
    alone = word("subscribe", 1, email="c@example.com", phone_number="+14155550124")
    assert sent(*family, alone) == [{"email"}, {"email"}, {"email", "phone_number"}]


@pytest.mark.parametrize("action", ["unsubscribe", "suppress", "subscribe"])
def test_who_else_has_a_number_counts_whatever_they_say_and_even_if_it_does_not_hold(action: str) -> None:
    mine = word("subscribe", 1, email="a@example.com", phone_number="+14155550123")
    other = word(action, 1, email="b@example.com", phone_number="+14155550123")
    assert sent(mine, other, word("unsubscribe", 9, email="b@example.com"))[0] == {"email"}
    assert sent(other, mine)[-1] == {"email"}


def test_an_address_that_stands_beside_two_numbers_goes_with_neither() -> None:
    sms = {"channel": "sms.marketing"}
    assert sent(
        word("subscribe", 1, phone_number="+14155550123"),
        word("subscribe", 1, phone_number="+14155550125") | sms,
    ) == [{"email"}, {"phone_number"}]


def test_an_id_that_stands_beside_two_addresses_goes_with_neither_and_stays_with_a_no() -> None:
    yes = [word("subscribe", 1, email=f"{name}@example.com", id="01SARAH") for name in ("a", "b")]
    assert sent(*yes, word("unsubscribe", 1, email="c@example.com", id="01SARAH")) == [{"email"}, {"email"}, {"email", "id"}]


def test_the_same_two_identifiers_in_several_rows_are_one_person_s() -> None:
    known = {"email": "Sarah@example.com", "phone_number": "+14155550123", "id": "01SARAH"}
    assert sent(
        word("subscribe", 1, **known), word("subscribe", 1, **known | {"email": "sarah@example.com"}) | {"channel": "sms.marketing"}
    ) == [
        known.keys(),
        known.keys(),
    ]
