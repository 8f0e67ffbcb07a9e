# SPDX-License-Identifier: Apache-2.0
"""``/api/metrics``: the kinds of events."""

from __future__ import annotations

from airflow_provider_klaviyo.sandbox.klaviyo import filters, views
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.listing import Where, read_page


@answers("get_metrics")
def get_metrics(call: Call) -> Answer:
    """List metrics."""
    where = Where()
    for term in call.query.terms:
        if term.field == "integration.name":
            where.among("upper(m.service)", [each.upper() for each in filters.text(term)])
        else:
            where.add("0")  # as recorded: Klaviyo filters by category, and never finds any
    rows, following = read_page(call, source="metrics m", columns=views.METRIC, where=where, key="m.id", identifier="m.id")
    data = [views.metric(call, row, include=call.query.include) for row in rows]
    return Answer(200, call.page(data, following, [] if call.query.include else None))


@answers("get_metric")
def get_metric(call: Call) -> Answer:
    """Read one metric."""
    data = views.metric(call, views.load_metric(call, call.ids[0]), include=call.query.include)
    return Answer(200, call.document(data, [] if call.query.include else None))
