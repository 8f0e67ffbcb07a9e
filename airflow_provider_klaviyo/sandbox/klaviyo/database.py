# SPDX-License-Identifier: Apache-2.0
"""The sandbox's tables, ids and moments."""

from __future__ import annotations

import base64
import itertools
import secrets
import sqlite3
import string
from datetime import UTC, datetime, timedelta

SCHEMA = """
CREATE TABLE profiles (
    id TEXT PRIMARY KEY, email TEXT UNIQUE, phone_number TEXT UNIQUE, external_id TEXT UNIQUE, anonymous_id TEXT UNIQUE,
    created INTEGER NOT NULL, updated INTEGER NOT NULL, last_event INTEGER, attributes TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX profiles_created ON profiles (created, id);
CREATE INDEX profiles_updated ON profiles (updated, id);
CREATE TABLE consents (
    profile_id TEXT NOT NULL, channel TEXT NOT NULL, consent TEXT NOT NULL, at INTEGER NOT NULL, method TEXT NOT NULL, source TEXT,
    double_optin INTEGER NOT NULL, PRIMARY KEY (profile_id, channel)
) WITHOUT ROWID;
CREATE TABLE suppressions (
    profile_id TEXT NOT NULL, list_id TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (profile_id, list_id, reason)
) WITHOUT ROWID;
CREATE TABLE opt_ins (id INTEGER PRIMARY KEY, email TEXT, phone_number TEXT, request TEXT NOT NULL);
CREATE TABLE suppression_jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, created INTEGER NOT NULL, due INTEGER NOT NULL, status TEXT NOT NULL,
    total INTEGER NOT NULL, skipped INTEGER NOT NULL, list_id TEXT, segment_id TEXT
) WITHOUT ROWID;
CREATE INDEX suppression_jobs_created ON suppression_jobs (kind, created, id);
CREATE TABLE later (id INTEGER PRIMARY KEY, due INTEGER NOT NULL, work TEXT NOT NULL, given TEXT NOT NULL);
CREATE INDEX later_due ON later (due, id);
CREATE TABLE lists (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, opt_in_process TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE members (
    list_id TEXT NOT NULL, profile_id TEXT NOT NULL, joined INTEGER NOT NULL, PRIMARY KEY (list_id, profile_id)
) WITHOUT ROWID;
CREATE INDEX members_joined ON members (list_id, joined, profile_id);
CREATE INDEX members_profile ON members (profile_id);
CREATE TABLE metrics (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, service TEXT NOT NULL, created INTEGER NOT NULL, UNIQUE (service, name)
) WITHOUT ROWID;
CREATE TABLE events (
    id TEXT PRIMARY KEY, profile_id TEXT NOT NULL, metric_id TEXT NOT NULL, timestamp INTEGER NOT NULL,
    unique_id TEXT NOT NULL, backfill INTEGER NOT NULL, received INTEGER NOT NULL, properties TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX events_unique ON events (profile_id, metric_id, unique_id);
CREATE INDEX events_time ON events (timestamp, id);
CREATE INDEX events_metric ON events (metric_id, timestamp, id);
CREATE INDEX events_profile ON events (profile_id, timestamp, id);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, created INTEGER NOT NULL, started INTEGER NOT NULL, due INTEGER NOT NULL, status TEXT NOT NULL,
    total INTEGER NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL, lists TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_created ON jobs (created, id);
CREATE TABLE job_profiles (job_id TEXT NOT NULL, profile_id TEXT NOT NULL, PRIMARY KEY (job_id, profile_id)) WITHOUT ROWID;
CREATE TABLE job_errors (
    job_id TEXT NOT NULL, row INTEGER NOT NULL, id TEXT NOT NULL, code TEXT NOT NULL, title TEXT NOT NULL, detail TEXT NOT NULL,
    pointer TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (job_id, row)
) WITHOUT ROWID;
CREATE TABLE resources (
    kind TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL, attributes TEXT NOT NULL,
    related TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
"""

TABLES = (
    *("profiles", "consents", "suppressions", "opt_ins", "suppression_jobs", "later"),
    *("lists", "members", "metrics", "events", "jobs", "job_profiles", "job_errors", "resources"),
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LETTERS = string.ascii_letters + string.digits
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_order = itertools.count()


def connect() -> sqlite3.Connection:
    """Return an empty database that lies in memory until it is large, and then in a file that nobody else sees."""
    connection = sqlite3.connect("", check_same_thread=False, isolation_level=None)
    connection.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -200000;")
    connection.executescript(SCHEMA)
    return connection


def moment(micros: int) -> datetime:
    """Return microseconds since 1970 as a moment."""
    return EPOCH + timedelta(microseconds=micros)


def iso(micros: int) -> str:
    """Return a moment as Klaviyo writes it: no fraction where there is none."""
    return moment(micros).isoformat()


def iso_seconds(micros: int) -> str:
    """Return a moment to the second, as Klaviyo writes what it reads from its own tables."""
    return (EPOCH + timedelta(seconds=micros // 1_000_000)).isoformat()


def to_micros(moment: datetime) -> int:
    """Return a moment as microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def ulid(micros: int) -> str:
    """Return an id that sorts by the moment it was made."""
    number = (micros // 1000) << 80 | (next(_order) & 0xFFFFFFFFFF) << 40 | secrets.randbits(40)
    return "".join([CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5)])


def token(length: int) -> str:
    """Return an id such as those of lists and metrics (6 characters) and events (11)."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def job_token(account: str, micros: int) -> str:
    """Return an id such as those of import jobs, in which the account and the second can be read."""
    text = f"{account}_maintenance.{token(6)}.{micros // 1_000_000}.{token(6)}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def event_uuid(timestamp: int, event_id: str) -> str:
    """Return the version 1 UUID of an event: its time part is the event's time."""
    ticks = (timestamp + 12_219_292_800) * 10_000_000
    node = int.from_bytes(event_id.encode()[-6:].rjust(6, b"0"))
    return f"{ticks & 0xFFFFFFFF:08x}-{ticks >> 32 & 0xFFFF:04x}-1{ticks >> 48 & 0xFFF:03x}-8001-{node:012x}"
