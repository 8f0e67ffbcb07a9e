# SPDX-License-Identifier: Apache-2.0
"""
The truth table of consent, written down by hand: what becomes of each word, whatever Klaviyo knows of the person.

A line is a state in Klaviyo and, where the load is about a list, whether the person is in it. A letter is what becomes of a word
that has no date, an earlier date than Klaviyo's, the same, and a later one, in that order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LETTERS = {
    "S": "",
    "U": "unchanged",
    "D": "no_consent_date",
    "K": "unsubscribed_in_klaviyo",
    "N": "newer_in_klaviyo",
    "L": "not_in_list",
    "X": "not_liftable",
    "O": "left_another_list",
    "W": "undated_after_no",
    "?": "unclear_in_klaviyo",
}
DATES = ("undated", "older", "same", "later")
T = datetime(2025, 6, 1, 12, tzinfo=UTC)
"""When Klaviyo learnt what it knows."""
BEFORE = T - timedelta(days=30)
"""When somebody had said yes who then complained, left the list, or was suppressed."""
WHEN = {"undated": None, "older": T - timedelta(days=1), "same": T, "later": T + timedelta(days=1)}


@dataclass(frozen=True)
class State:
    """
    What Klaviyo knows of somebody.

    :param consent: Its word, ``None`` where there is no profile.
    :param at: When that was said.
    :param marks: Suppressions and when they were put.
    :param left: Whether they left the list, at :data:`T`.
    :param left_other: Whether they left another list then.
    :param made: Whether the sandbox can have such a person.
    """

    consent: str | None = "NEVER_SUBSCRIBED"
    at: datetime | None = None
    marks: tuple[tuple[str, datetime | None], ...] = ()
    left: bool = False
    left_other: bool = False
    made: bool = True


YES, NO = "SUBSCRIBED", "UNSUBSCRIBED"
STATES = {
    "nobody": State(None),
    "never": State(),
    "yes": State(YES, T),
    "undated_yes": State(YES, made=False),
    "yes_bounced": State(YES, T, (("HARD_BOUNCE", T),)),
    "bounced": State(marks=(("INVALID_EMAIL", T),)),
    "no": State(NO, T, (("UNSUBSCRIBE", T),)),
    "undated_no": State(NO, None, (("UNSUBSCRIBE", None),), made=False),
    "suppressed_no": State(marks=(("UNSUBSCRIBE", T),)),
    "yes_and_no": State(YES, T, (("UNSUBSCRIBE", T),)),
    "complained": State(YES, BEFORE, (("SPAM_COMPLAINT", T),)),
    "by_hand": State(YES, BEFORE, (("USER_SUPPRESSED", T),)),
    "by_hand_bounced": State(marks=(("USER_SUPPRESSED", T), ("HARD_BOUNCE", BEFORE))),
    "new_reason": State(YES, BEFORE, (("SOMETHING_NEW", T),), made=False),
    "left": State(YES, BEFORE, left=True),
    "left_other": State(YES, BEFORE, left_other=True),
    "never_left_other": State(left_other=True),
    "new_word": State("PENDING", T),
    "untold": State("", made=False),
}

# A yes. In turn: the list (if any) is single opt-in; the same with resubscribe=True; it is double opt-in; the same with resubscribe=True.
SUBSCRIBE = """
nobody          -    DSSS DSSS
never           -    DSSS DSSS
yes             -    UUUU UUUU
undated_yes     -    UUUU UUUU
yes_bounced     -    UUUU UUUU
bounced         -    DSSS DSSS
no              -    DKKK DNNS
undated_no      -    DKKK DNNN
suppressed_no   -    DKKK DNNS
complained      -    DKKK DNNS
by_hand         -    DKKK DNNS
by_hand_bounced -    DKKK DNNS
new_reason      -    DKKK DNNS
new_word        -    D??? D???
untold          -    D??? D???
nobody          out  DSSS DSSS SSSS SSSS
never           in   DSSS DSSS SSSS SSSS
never           out  DSSS DSSS SSSS SSSS
yes             in   UUUU UUUU UUUU UUUU
yes             out  DSSS DSSS SSSS SSSS
undated_yes     out  DSSS DSSS SSSS SSSS
yes_bounced     in   UUUU UUUU UUUU UUUU
yes_bounced     out  DSSS DSSS SSSS SSSS
bounced         out  DSSS DSSS SSSS SSSS
no              in   DKKK DNNS KKKK WNNS
no              out  DKKK DNNS KKKK WNNS
undated_no      in   DKKK DNNN KKKK WNNN
suppressed_no   in   DKKK DNNS KKKK WNNS
complained      in   DKKK DNNS KKKK WNNS
complained      out  DKKK DNNS KKKK WNNS
by_hand         in   DKKK DNNS KKKK WNNS
by_hand_bounced out  DKKK DNNS KKKK WNNS
new_reason      in   DKKK DNNS KKKK WNNS
left            in   DKKK DNNS KKKK WNNS
left            out  DKKK DNNS KKKK WNNS
new_word        in   D??? D??? ???? ????
untold          out  D??? D??? ???? ????
undated_yes     in   UUUU UUUU UUUU UUUU
bounced         in   DSSS DSSS SSSS SSSS
undated_no      out  DKKK DNNN KKKK WNNN
suppressed_no   out  DKKK DNNS KKKK WNNS
by_hand         out  DKKK DNNS KKKK WNNS
by_hand_bounced in   DKKK DNNS KKKK WNNS
new_reason      out  DKKK DNNS KKKK WNNS
new_word        out  D??? D??? ???? ????
untold          in   D??? D??? ???? ????
yes_and_no      -    DKKK DNNS
yes_and_no      in   DKKK DNNS KKKK WNNS
yes_and_no      out  DKKK DNNS KKKK WNNS
left_other      -    UUUU UUUU
left_other      in   UUUU UUUU UUUU UUUU
left_other      out  DOOO DNNS OOOO WNNS
never_left_other -   DOOO DNNS
never_left_other in  DOOO DNNS OOOO WNNS
never_left_other out DOOO DNNS OOOO WNNS
"""

# A no. No flag makes a difference. A no to a list is not held against the channel's date, which may be that of a yes to something else.
UNSUBSCRIBE = """
nobody          -    SSSS
never           -    SSSS
yes             -    SNSS
undated_yes     -    SSSS
yes_bounced     -    SNSS
bounced         -    SSSS
no              -    UUUU
undated_no      -    UUUU
suppressed_no   -    UUUU
complained      -    SSSS
by_hand         -    SSSS
by_hand_bounced -    SSSS
new_reason      -    SSSS
new_word        -    SSSS
untold          -    SSSS
nobody          out  LLLL
never           in   SSSS
never           out  LLLL
yes             in   SSSS
yes             out  LLLL
undated_yes     in   SSSS
yes_bounced     in   SSSS
bounced         in   SSSS
bounced         out  LLLL
no              in   SSSS
no              out  UUUU
suppressed_no   out  UUUU
complained      in   SSSS
complained      out  LLLL
by_hand         in   SSSS
by_hand_bounced out  LLLL
new_reason      in   SSSS
left            in   SSSS
left            out  UUUU
new_word        in   SSSS
untold          out  LLLL
undated_yes     out  LLLL
yes_bounced     out  LLLL
undated_no      in   SSSS
undated_no      out  UUUU
suppressed_no   in   SSSS
by_hand         out  LLLL
by_hand_bounced in   SSSS
new_reason      out  LLLL
new_word        out  LLLL
untold          in   SSSS
yes_and_no      -    SNSS
yes_and_no      in   SSSS
yes_and_no      out  LLLL
left_other      -    SSSS
left_other      in   SSSS
left_other      out  LLLL
never_left_other -   SSSS
never_left_other in  SSSS
never_left_other out LLLL
"""

SUPPRESS = """
nobody          -    SSSS
never           -    SSSS
yes             -    SNSS
undated_yes     -    SSSS
yes_bounced     -    SNSS
bounced         -    SSSS
no              -    SSSS
undated_no      -    SSSS
suppressed_no   -    SSSS
complained      -    SSSS
by_hand         -    UUUU
by_hand_bounced -    UUUU
new_reason      -    SSSS
new_word        -    SSSS
untold          -    SSSS
yes_and_no      -    SNSS
left_other      -    SSSS
never_left_other -   SSSS
"""

UNSUPPRESS = """
nobody          -    UUUU
never           -    UUUU
yes             -    UUUU
undated_yes     -    UUUU
yes_bounced     -    XXXX
bounced         -    XXXX
no              -    XXXX
undated_no      -    XXXX
suppressed_no   -    XXXX
complained      -    XXXX
by_hand         -    DNNS
by_hand_bounced -    DNNS
new_reason      -    XXXX
new_word        -    UUUU
untold          -    UUUU
yes_and_no      -    XXXX
left_other      -    UUUU
never_left_other -   UUUU
"""

TABLES = {"subscribe": SUBSCRIBE, "unsubscribe": UNSUBSCRIBE, "suppress": SUPPRESS, "unsuppress": UNSUPPRESS}
FLAGS = tuple((double_opt_in, resubscribe) for double_opt_in in (False, True) for resubscribe in (False, True))


@dataclass(frozen=True)
class Case:
    """One letter of the table."""

    action: str
    state: str
    member: bool | None
    date: str
    double_opt_in: bool
    resubscribe: bool
    code: str

    @property
    def person(self) -> str:
        """A name for the person, the same whatever the flags."""
        inside = {None: "nolist", True: "in", False: "out"}[self.member]
        return f"{self.action}.{self.state}.{inside}.{self.date}"

    @property
    def word(self) -> dict[str, Any]:
        """What the person says, by e-mail."""
        said = WHEN[self.date]
        dated = {} if said is None else {"consented_at": said.isoformat()}
        return {"action": self.action, "channel": "email.marketing", "email": f"{self.person}@example.com", **dated}


def cases() -> Iterator[Case]:
    """Yield the letters of the table."""
    for action, table in TABLES.items():
        for line in table.strip().splitlines():
            state, inside, *letters = line.split()
            member = {"-": None, "in": True, "out": False}[inside]
            flags = [each for each in FLAGS if member is not None or not each[0]]
            for (double_opt_in, resubscribe), four in zip(flags, letters if len(letters) > 1 else letters * len(flags), strict=True):
                for date, letter in zip(DATES, four, strict=True):
                    yield Case(action, state, member, date, double_opt_in, resubscribe, LETTERS[letter])


CASES = list(cases())
