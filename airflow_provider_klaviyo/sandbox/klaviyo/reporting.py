# SPDX-License-Identifier: Apache-2.0
"""
``/api/*-reports``: how campaigns, flows, forms and segments did.

Nobody reads the sandbox's e-mails. What a report tells is set: ``state.reports["campaign"]`` is a list of rows, each with its
groupings and its numbers. A statistic that a row does not have is 0; a series tells the same number for each interval.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, create_model, model_validator

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, filters
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.query import pack, unpack_place

Json = dict[str, Any]
ROWS_A_PAGE = 100
YEAR = timedelta(days=366)
STEPS = {"hourly": timedelta(hours=1), "daily": timedelta(days=1), "weekly": timedelta(weeks=1), "monthly": timedelta(days=30)}
LONGEST = {"hourly": timedelta(days=7), "daily": timedelta(days=60), "weekly": YEAR, "monthly": timedelta(weeks=52)}
DAYS = {
    "today": 1,
    "yesterday": 1,
    "this_week": 7,
    "last_week": 7,
    "last_7_days": 7,
    "this_month": 31,
    "last_month": 31,
    "last_30_days": 30,
    "last_90_days": 90,
    "last_3_months": 92,
    **dict.fromkeys(("this_year", "last_year", "last_12_months", "last_365_days"), 365),
}

Messages = Literal[
    "average_order_value", "bounce_rate", "bounced", "bounced_or_failed", "bounced_or_failed_rate", "click_rate", "click_to_open_rate",
    "clicks", "clicks_unique", "conversion_rate", "conversion_uniques", "conversion_value", "conversions", "delivered", "delivery_rate",
    "failed", "failed_rate", "message_segment_count_sum", "open_rate", "opens", "opens_unique", "recipients", "revenue_per_recipient",
    "spam_complaint_rate", "spam_complaints", "text_message_credit_usage_amount", "text_message_roi", "text_message_spend",
    "unsubscribe_rate", "unsubscribe_uniques", "unsubscribes",
]  # fmt: skip
Forms = Literal[
    "closed_form", "closed_form_uniques", "qualified_form", "qualified_form_uniques", "submit_rate", "submits", "submitted_form_step",
    "submitted_form_step_uniques", "viewed_form", "viewed_form_step", "viewed_form_step_uniques", "viewed_form_uniques",
]  # fmt: skip
Segments = Literal["members_added", "members_removed", "net_members_changed", "total_members"]
Channel = Literal["send_channel", "tag_id", "tag_name", "text_message_format", "variation", "variation_name"]
CampaignGroups = Literal["campaign_id", "campaign_message_id", "campaign_message_name", "group", "group_name", Channel]
FlowGroups = Literal["flow_id", "flow_message_id", "flow_message_name", "flow_name", Channel]
FormGroups = Literal["form_id", "form_version_id"]


class Named(Strict):
    """A time that has a name."""

    key: str

    @model_validator(mode="after")
    def _is_known(self) -> Named:
        if self.key not in DAYS:
            raise ValueError(f"'{self.key}' is not a valid timeframe key.")
        return self


class Window(Strict):
    """A time with a start and an end: whichever offsets come, they are times of the account's own."""

    start: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _is_a_year_at_most(self) -> Window:
        start, end = self.local
        if not start < end <= start + YEAR:
            raise ValueError("The timeframe cannot be longer than 1 year.")
        return self

    @property
    def local(self) -> tuple[datetime, datetime]:
        """Start and end without their offsets."""
        return self.start.replace(tzinfo=None), self.end.replace(tzinfo=None)


def _body(kind: str, statistics: Any, groups: Any = None, *, converts: bool = False) -> type[Strict]:
    fields: dict[str, Any] = {
        "statistics": (Annotated[list[statistics], Field(min_length=1)], ...),
        "timeframe": (Named | Window, ...),
        "filter": (str | None, None),
    }
    fields |= {"group_by": (list[groups] | None, None)} if groups else {}
    fields |= {"conversion_metric_id": (str, ...)} if converts else {}
    fields |= {"interval": (Literal["hourly", "daily", "weekly", "monthly"], ...)} if "series" in kind else {}
    return bodies.document(kind, create_model("Asked", __base__=Strict, **fields))


BODIES = {
    "query_campaign_values": _body("campaign-values-report", Messages, CampaignGroups, converts=True),
    "query_flow_values": _body("flow-values-report", Messages, FlowGroups, converts=True),
    "query_flow_series": _body("flow-series-report", Messages, FlowGroups, converts=True),
    "query_form_values": _body("form-values-report", Forms, FormGroups),
    "query_form_series": _body("form-series-report", Forms, FormGroups),
    "query_segment_values": _body("segment-values-report", Segments),
    "query_segment_series": _body("segment-series-report", Segments),
}
#: What rows are grouped by, which of it always, and the operators by which they are filtered.
GROUPED = {
    "campaign": ("campaign_id", "campaign_message_id", "send_channel"),
    "flow": ("flow_id", "flow_message_id", "send_channel"),
    "form": ("form_id",),
    "segment": ("segment_id",),
}
NEEDED = {"campaign": GROUPED["campaign"][:2], "flow": GROUPED["flow"][:2], "form": ("form_id",), "segment": ()}
ONE, LISTED, OTHER = ("equals", "contains-any"), ("contains-any", "contains-all"), ("equals", "any")
MESSAGES = {
    **dict.fromkeys(("send_channel", "variation", "variation_name", "text_message_format"), ONE),
    **dict.fromkeys(("tag_id", "tag_name"), LISTED),
}
FILTERED = {
    "campaign": {**dict.fromkeys(("campaign_id", "campaign_message_id", "campaign_message_name"), ONE), **MESSAGES},
    "flow": {**dict.fromkeys(("flow_id", "flow_name", "flow_message_id", "flow_message_name"), ONE), **MESSAGES},
    "form": dict.fromkeys(("form_id", "form_version_id"), OTHER),
    "segment": {"segment_id": OTHER},
}
FILTER = "/data/attributes/filter"
CHANNELS = frozenset({"email", "sms", "push-notification", "whatsapp"})
MOST_VALUES = 100
FIRST_SEGMENTS = datetime(2023, 6, 1)  # noqa: DTZ001 - of the account's own time


def report(call: Call) -> Answer:
    """Answer a report."""
    kind, asked = call.operation.path.removeprefix("/api/").removesuffix("s"), bodies.parse(call, BODIES[call.operation.id]).attributes
    subject, form, _ = kind.split("-")
    _check_metric(call, getattr(asked, "conversion_metric_id", None))
    groups = getattr(asked, "group_by", None) or GROUPED[subject]
    if not set(NEEDED[subject]) <= set(groups):
        raise invalid(f"The following group by attributes are required: {', '.join(NEEDED[subject])}", "/data/attributes/group_by")
    if subject == "segment" and isinstance(asked.timeframe, Window) and asked.timeframe.local[0] < FIRST_SEGMENTS:
        raise invalid("Data is unavailable before June 1st, 2023.", "/data/attributes/timeframe")
    terms = _terms(asked.filter, subject) if asked.filter else []
    rows = [each for each in call.state.reports.get(subject, []) if all(filters.matches(term, each.get(term.field)) for term in terms)]
    cursor = dict(call.query.raw).get("page_cursor")
    start = unpack_place(cursor, parameter="page_cursor") if cursor else 0
    end = start + ROWS_A_PAGE if "page_cursor" in call.operation.params else len(rows)
    times = _times(asked) if form == "series" else None
    results = [_result(each, groups, asked.statistics, times) for each in rows[start:end]]
    attributes: Json = {"results": results} if times is None else {"results": results, "date_times": [each.isoformat() for each in times]}
    document = call.document({"type": kind, "id": str(uuid.uuid4()), "attributes": attributes})
    following = f"{call.base}{call.path}?page_cursor={pack([end, 0])}" if end < len(rows) else None
    document["links"] |= {"next": following, "prev": None}
    return Answer(200, document)


for _name in BODIES:
    answers(_name)(report)


def _terms(text: str, subject: str) -> list[filters.Term]:
    """Read a filter: a term, or several within one ``and``, each of another field."""
    found = filters.nested(text, FILTER)
    if len(found) == 1 and isinstance(found[0], filters.Group) and found[0].operator == "and":
        found = list(found[0].members)
    elif len(found) > 1:
        raise invalid("Only AND can be used as a combination operator.", FILTER)
    terms: list[filters.Term] = []
    for term in found:
        if not isinstance(term, filters.Term):
            raise invalid("Only AND can be used as a combination operator.", FILTER)
        if term.operator not in FILTERED[subject].get(term.field, ()):
            raise invalid(f"Invalid filter: {term.operator} on {term.field}", FILTER)
        if term.field in {each.field for each in terms}:
            raise invalid("Only one filter can be used per attribute.", FILTER)
        with filters.inside(FILTER):
            values = filters.text(term)
        if len(values) > MOST_VALUES:
            raise invalid(f"A list filter has at most {MOST_VALUES} items.", FILTER)
        if term.field == "send_channel" and not CHANNELS.issuperset(values):
            raise invalid(f"send_channel is one of {', '.join(sorted(CHANNELS))}.", FILTER)
        terms.append(term)
    return terms


def _check_metric(call: Call, metric_id: str | None) -> None:
    if metric_id is not None and not call.state.db.execute("SELECT 1 FROM metrics WHERE id = ?", (metric_id,)).fetchone():
        raise not_found(f"Metric with id {metric_id} does not exist.")


def _result(row: Json, groups: Any, statistics: list[str], times: list[datetime] | None) -> Json:
    numbers: Json = {name: float(row.get(name, 0)) for name in statistics}
    told = numbers if times is None else {name: [number] * len(times) for name, number in numbers.items()}
    return {"groupings": {name: row.get(name) for name in groups}, "statistics": told}


def _times(asked: Any) -> list[datetime]:
    """Return the beginnings of the intervals; whichever offset came, it is the account's own time."""
    step, frame = STEPS[asked.interval], asked.timeframe
    if isinstance(frame, Named):
        end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        start = end - timedelta(days=DAYS[frame.key])
    else:
        start, end = (each.replace(tzinfo=UTC) for each in frame.local)
    if end - start > LONGEST[asked.interval]:
        raise invalid(f"The timeframe is too long for {asked.interval} data.", "/data/attributes/timeframe")
    return [start + step * at for at in range(-(-(end - start) // step))]
