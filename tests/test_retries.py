# SPDX-License-Identifier: Apache-2.0
"""The retry table of the design, and the waits between attempts on a clock that only waiting moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tenacity import Retrying

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoError, KlaviyoUnanswered
from airflow_provider_klaviyo.retries import Again, Retries, again, backoff, seconds_to_wait

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def refused(status: int, retry_after: float = 0.0) -> KlaviyoApiError:
    return KlaviyoApiError("POST /api/lists", status, retry_after=retry_after)


def unanswered(*, sent: bool) -> KlaviyoUnanswered:
    return KlaviyoUnanswered("POST /api/lists", sent=sent, cause="ReadTimeout")


@pytest.mark.parametrize(
    ("error", "repeatable", "otherwise"),
    [
        (unanswered(sent=False), Again.COUNTED, Again.COUNTED),
        (refused(429), Again.FREE, Again.FREE),
        *((refused(status), Again.COUNTED, Again.NEVER) for status in (500, 502, 503, 504)),
        (unanswered(sent=True), Again.COUNTED, Again.NEVER),
        *((refused(status), Again.NEVER, Again.NEVER) for status in (302, 400, 401, 403, 404, 405, 409, 410, 415)),
        (KlaviyoError("what else"), Again.NEVER, Again.NEVER),
        (KlaviyoConfigError("a key"), Again.NEVER, Again.NEVER),
        (KeyboardInterrupt(), Again.NEVER, Again.NEVER),
    ],
    ids=repr,
)
def test_the_table(error: BaseException, repeatable: Again, otherwise: Again) -> None:
    assert again(error, repeatable=True) is repeatable
    assert again(error, repeatable=False) is otherwise


def test_a_token_that_is_not_taken_is_renewed() -> None:
    assert again(refused(401), repeatable=False, renewable=True) is Again.RENEWED


def test_a_compressed_body_that_is_not_taken_goes_again_inflated() -> None:
    assert again(refused(415), repeatable=False, compressed=True) is Again.INFLATED


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1", 1),
        ("1.5", 1.5),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Fri, 20 Nov 2026 12:00:30 -0000", 30),
        ("", 0),
        ("-3", 0),
        ("soon", 0),
        ("nan", 0),
        ("inf", 0),
    ],
)
def test_every_form_of_retry_after(header: str, seconds: float) -> None:
    assert seconds_to_wait(header, now=NOW) == seconds


def test_backoff_doubles_up_to_a_minute_with_jitter() -> None:
    for failures, seconds in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (5000, 60)):
        assert seconds <= backoff(failures) <= seconds + 1
    assert len({backoff(1) for _ in range(10)}) > 1


class Timeline:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def run(self, errors: list[KlaviyoError], *, max_attempts: int = 3, deadline: float = 600, repeatable: bool = True) -> Retries:
        """Fail with each error in turn, then succeed."""
        retries = Retries(repeatable, max_attempts, deadline, lambda: self.now)
        failures = iter(errors)

        def attempt() -> None:
            if error := next(failures, None):
                raise error

        Retrying(**retries.policy(), sleep=self.sleep)(attempt)
        return retries


def test_attempts_are_bounded() -> None:
    timeline = Timeline()
    with pytest.raises(KlaviyoApiError, match="answered 503"):
        timeline.run([refused(503)] * 3)
    assert len(timeline.slept) == 2


def test_429s_are_no_attempts_and_wait_exactly_as_asked() -> None:
    timeline = Timeline()
    timeline.run([*[refused(429, retry_after=2.0)] * 60, refused(503), refused(503)])
    assert timeline.slept[:60] == [2.0] * 60
    assert timeline.slept[60] < 3, "429s do not lengthen the backoff of others"


def test_a_429_without_retry_after_backs_off() -> None:
    timeline = Timeline()
    timeline.run([refused(429)] * 3)
    assert [int(seconds) for seconds in timeline.slept] == [1, 2, 4]


def test_a_503_waits_as_long_as_it_asks() -> None:
    timeline = Timeline()
    timeline.run([refused(503, retry_after=30.0)])
    assert timeline.slept == [30.0]


def test_the_deadline_bounds_the_429s() -> None:
    timeline = Timeline()
    with pytest.raises(KlaviyoApiError, match="answered 429"):
        timeline.run([refused(429, retry_after=7.0)] * 100, deadline=60)
    assert timeline.now == 56


def test_no_wait_begins_that_would_end_after_the_deadline() -> None:
    timeline = Timeline()
    with pytest.raises(KlaviyoApiError, match="answered 429"):
        timeline.run([refused(429, retry_after=3600.0)])
    assert timeline.slept == []


@pytest.mark.parametrize(
    ("error", "doubtful"), [(refused(429), False), (unanswered(sent=False), False), (refused(502), True), (unanswered(sent=True), True)]
)
def test_doubt_is_remembered(error: KlaviyoError, doubtful: bool) -> None:
    assert Timeline().run([error]).doubtful is doubtful
