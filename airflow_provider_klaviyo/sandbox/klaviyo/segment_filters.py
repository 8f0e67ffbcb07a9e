# SPDX-License-Identifier: Apache-2.0
"""The filters inside a segment's conditions, as the specification has them, told apart by ``type`` and ``operator``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictFloat, StrictInt, StrictStr

from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict

Unit = Literal["day", "hour", "week"]
Number = StrictInt | StrictFloat


def _moment(text: str) -> str:
    if "T" not in text or datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("Must be an ISO 8601 datetime with a time zone.")
    return text


Moment = Annotated[str, AfterValidator(_moment)]


class Static(Strict):
    """Before or after a day."""

    type: Literal["date"]
    operator: Literal["after", "before"]
    date: Moment


class StaticRange(Strict):
    """Between two days."""

    type: Literal["date"]
    operator: Literal["between-static"]
    start: Moment
    end: Moment


class Relative(Strict):
    """So long ago, or ahead."""

    type: Literal["date"]
    operator: Literal["at-least", "in-the-last", "in-the-next"]
    unit: Unit
    quantity: int


class RelativeRange(Strict):
    """Between so long ago and so long ago."""

    type: Literal["date"]
    operator: Literal["between"]
    start: int
    end: int
    unit: Unit


class RelativeAnniversary(Strict):
    """The day of the year, so long ago or ahead."""

    type: Literal["date"]
    operator: Literal["anniversary-last", "anniversary-next"]
    unit: Unit
    quantity: int


class Anniversary(Strict):
    """The day, or the month, of the year."""

    type: Literal["date"]
    operator: Literal["anniversary", "anniversary-month"]


class Month(Strict):
    """A month of the year."""

    type: Literal["date"]
    operator: Literal["calendar-month"]
    value: int


class Ever(Strict):
    """At any time."""

    type: Literal["date"]
    operator: Literal["alltime"]  # codespell:ignore alltime


class Numeric(Strict):
    """A number, compared."""

    type: Literal["numeric"]
    operator: Literal["equals", "greater-than", "greater-than-or-equal", "less-than", "less-than-or-equal", "not-equals"]
    value: Number


class NumericRange(Strict):
    """A number between two."""

    type: Literal["numeric"]
    operator: Literal["between"]
    start: Number
    end: Number


class Text(Strict):
    """A text, compared."""

    type: Literal["string"]
    operator: Literal[
        "contains", "ends-with", "equals", "not-contains", "not-ends-with", "not-equals", "not-starts-with", "nregex", "regex", "starts-with"
    ]  # fmt: skip
    value: str | None


class OneOf(Strict):
    """A text that is one of several, or none of them."""

    type: Literal["string"]
    operator: Literal["in", "not-in", "phone-country-code-in", "phone-country-code-not-in"]
    value: list[str]


class Existence(Strict):
    """A value that is there, or is not."""

    type: Literal["existence"]
    operator: Literal["is-set", "not-set"]


class Flag(Strict):
    """Yes or no."""

    type: Literal["boolean"]
    operator: Literal["equals"]
    value: bool


class Item(Strict):
    """A list that holds something, or does not."""

    type: Literal["list"]
    operator: Literal["contains", "not-contains"]
    value: StrictInt | StrictStr


class Items(Strict):
    """A list that holds several, or does not."""

    type: Literal["list"]
    operator: Literal["contains-all", "contains-any", "not-contains-all", "not-contains-any"]
    value: list[str]


class Length(Strict):
    """How long a list is."""

    type: Literal["list"]
    operator: Literal[
        "length-equals", "length-greater-than", "length-greater-than-or-equal", "length-less-than", "length-less-than-or-equal"
    ]  # fmt: skip
    value: int


class Part(Strict):
    """A list of which an entry holds a text, or none does."""

    type: Literal["list"]
    operator: Literal["contains-substring", "not-contains-substring"]
    value: str | None


ByOperator = Field(discriminator="operator")
ByType = Field(discriminator="type")
Day = Annotated[Static | StaticRange | Relative | RelativeRange | RelativeAnniversary | Month | Anniversary, ByOperator]
Texts = Annotated[Text | OneOf, ByOperator]
Joined = Annotated[Static | StaticRange | Relative | RelativeRange, ByOperator]
Happened = Annotated[Static | StaticRange | Relative | RelativeRange | RelativeAnniversary | Ever, ByOperator]
Within = Annotated[StaticRange | RelativeRange | Relative, ByOperator]
OfProfile = Annotated[Day | Numeric | Texts | Existence | Flag | Annotated[Item | Length, ByOperator], ByType]
OfEvent = Annotated[Texts | Existence | Annotated[Items | Length | Part, ByOperator] | Flag | Numeric, ByType]
OfObject = Annotated[
    Annotated[Static | StaticRange | Relative | RelativeRange | RelativeAnniversary, ByOperator]
    | Annotated[Numeric | NumericRange, ByOperator]
    | Texts
    | Existence
    | Flag
    | Annotated[Item | Length, ByOperator],
    ByType,
]
OfConsent = Annotated[Day | Texts | Existence | Flag, ByType]
OfPrediction = Annotated[Day | Numeric | Text, ByType]
