# SPDX-License-Identifier: Apache-2.0
"""What Klaviyo holds, read back over HTTP as any client would: nothing here knows how it was loaded."""

from __future__ import annotations

from collections import Counter, defaultdict
from decimal import Decimal

from airflow_provider_klaviyo.api import events, lists, metrics, profiles
from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.session import open_session
from airflow_provider_klaviyo.settings import Settings


def read_back(url: str, key: str) -> Json:
    """
    Read an account and count.

    :param url: Where Klaviyo is.
    :param key: Private API key.
    :return: ``klaviyo``: how many profiles, events of each metric and list members it holds; ``value``: what the events of
        each metric are worth together, by currency, as decimal text.
    """
    with open_session(Settings(conn_id="read back", base_url=url, key=key)) as klaviyo:
        names = {each["id"]: each["attributes"]["name"] for each in klaviyo.walk(metrics.list_())}
        people = sum(1 for _ in klaviyo.walk(profiles.list_(fields={"profile": ["email"]}, page_size=100)))
        members = sum(1 for each in klaviyo.walk(lists.list_()) for _ in klaviyo.walk(lists.profiles(list_id=each["id"], page_size=100)))
        counts: Counter[str] = Counter()
        worth: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for event in klaviyo.walk(events.list_(fields={"event": ["event_properties"]}, page_size=1000)):
            metric = names[event["relationships"]["metric"]["data"]["id"]]
            properties = event["attributes"]["event_properties"]
            counts[metric] += 1
            if (value := properties.get("$value")) is not None:
                worth[metric][properties.get("$value_currency") or ""] += Decimal(str(value))
    return {
        "klaviyo": {"profiles": people, "events": dict(sorted(counts.items())), "list_members": members},
        "value": {metric: {currency: str(total) for currency, total in by.items()} for metric, by in sorted(worth.items())},
    }
