# SPDX-License-Identifier: Apache-2.0
"""How events come to be held: each once for its profile, metric and unique id."""

from __future__ import annotations

from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import event_checks, people
from airflow_provider_klaviyo.sandbox.klaviyo.checks import compact
from airflow_provider_klaviyo.sandbox.klaviyo.database import token
from airflow_provider_klaviyo.sandbox.klaviyo.problems import not_found
from airflow_provider_klaviyo.sandbox.klaviyo.state import MICROS, KlaviyoState

Json = dict[str, Any]
INSERT = "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
OWN = frozenset({"id", "email", "phone_number", "external_id", "anonymous_id"})


class Recorder:
    """
    Records the events of one request. Use it within a transaction.

    :param state: The account.
    """

    def __init__(self, state: KlaviyoState) -> None:
        self.state, self.db, self.now = state, state.db, state.now()
        self._metrics: dict[tuple[str, str], str] = {}

    def profile(self, row: Json, where: str) -> str:
        """
        Find or make the profile of an event, and change it as the event says.

        :param row: The profile's resource object.
        :param where: JSON pointer to it.
        :returns: Its id.
        :raises Refused: No profile has the id that is given.
        """
        if not row["attributes"].keys() - OWN and "meta" not in row and (known := self._only(row)):
            return known
        try:
            return people.upsert(self.state, row, self.now, lenient=True)[0]
        except people.Unknown:
            raise not_found(f"A profile with id {row['id']} does not exist. ({where}/id)") from None

    def record(self, profile_id: str, given: Json, *, backfill: bool = False) -> tuple[str, str, str] | None:
        """
        Record an event.

        :param profile_id: Whose it is.
        :param given: Its attributes.
        :param backfill: The flag of what surrounds it.
        :returns: ``None``, or profile, metric and unique id if there was one like it.
        """
        at = given.get("time")
        timestamp = int(event_checks.moment(at).timestamp() // 1) if at else self.now // MICROS
        unique = given.get("unique_id") or str(timestamp)
        metric_id = self.metric(given["metric"]["data"]["attributes"])
        flag = bool(given.get("backfill") or backfill)
        row = (token(11), profile_id, metric_id, timestamp, unique, flag, self.now, compact(_properties(given, unique)))
        if not self.db.execute(INSERT, row).rowcount:
            return profile_id, metric_id, unique
        self.db.execute(
            "UPDATE profiles SET last_event = ? WHERE id = ? AND COALESCE(last_event, -1) < ?",
            (timestamp * MICROS, profile_id, timestamp * MICROS),
        )
        return None

    def metric(self, attributes: Json) -> str:
        """Find or make a metric and return its id."""
        key = (attributes.get("service") or "api", attributes["name"])
        if key not in self._metrics:
            self.db.execute("INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?)", (token(6), key[1], key[0], self.now))
            found = self.db.execute("SELECT id FROM metrics WHERE service = ? AND name = ?", key).fetchone()
            self._metrics[key] = found[0]
        return self._metrics[key]

    def _only(self, row: Json) -> str | None:
        """Return the profile that has all the identifiers, where an event brings nothing else."""
        named = {name: value for name, value in people.identifiers(row["attributes"]).items() if value}
        held = people.holders(self.db, named)
        ids = {*held.values(), *([row["id"]] if row.get("id") else [])}
        return ids.pop() if len(ids) == 1 and len(held) == len(named) and not row.get("id") else None


def _properties(given: Json, unique: str) -> Json:
    """Return the properties as they are read back: value, currency and unique id among them."""
    properties = dict(given["properties"])
    if given.get("value_currency") is not None:
        properties["$value_currency"] = given["value_currency"]
    properties["$event_id"] = unique
    if given.get("value") is not None:
        properties["$value"] = given["value"]
    return properties
