# SPDX-License-Identifier: Apache-2.0
"""The local Shopify: its shop, its tokens, its limits, its faults."""

from __future__ import annotations

import gzip
import json
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import RLock

from graphql import GraphQLSchema, build_client_schema

from airflow_provider_klaviyo.sandbox.shopify import documents
from airflow_provider_klaviyo.sandbox.shopify.bulk import AT_ONCE, BulkOperations
from airflow_provider_klaviyo.sandbox.shopify.cost import Bucket
from airflow_provider_klaviyo.sandbox.shopify.faults import Faults, ShopFault
from airflow_provider_klaviyo.sandbox.shopify.store import Store

STATIC_TOKEN = "shpat_sandbox"
CLIENT_ID = "sandbox-client"
CLIENT_SECRET = "sandbox-secret"
VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
SCOPES = ("read_all_orders", "read_customers", "read_orders", "read_products")
UNBOUNDED = 10**9


@dataclass
class ShopSettings:
    """
    How the shop behaves; a test may change any of it while it runs.

    :param job_seconds: How long a bulk operation takes at least.
    :param at_once: Bulk queries that may run at once.
    :param versions: API versions that are served, the oldest first.
    :param scopes: What tokens may read; without ``read_all_orders`` orders older than 60 days are missing in silence.
    :param token_seconds: How long a token of the client credentials grant lives.
    """

    job_seconds: float = 2.0
    at_once: int = AT_ONCE
    versions: tuple[str, ...] = VERSIONS
    scopes: Collection[str] = SCOPES
    token_seconds: int = 86400


@dataclass
class ShopState:
    """
    Everything the routes answer from.

    :param source: Makes or loads the shop, at its first use.
    :param public_url: Address of the server, without a path.
    :param settings: How the shop behaves.
    :param bucket_size: Points of the GraphQL bucket.
    :param restore_rate: Points that come back in a second.
    :param schema_file: Shopify's introspection result (``.json.gz``); documents are then held against it, too.
    :param clock: Seconds since 1970.
    """

    source: Callable[[], Store]
    public_url: Callable[[], str]
    settings: ShopSettings
    bucket_size: int
    restore_rate: int
    schema_file: Path | None
    clock: Callable[[], float]
    faults: Faults = field(default_factory=Faults)
    leaks: int = 0
    requests: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict, repr=False)
    lock: RLock = field(default_factory=RLock, repr=False)

    def __post_init__(self) -> None:
        self.bulk = BulkOperations(self.clock, self.public_url)
        self._initial = ShopSettings(**vars(self.settings))
        self.reset()

    @property
    def store(self) -> Store:
        """The shop, loaded at the first use."""
        with self.lock:
            return self._store

    @cached_property
    def _store(self) -> Store:
        return self.source()

    @cached_property
    def schema(self) -> GraphQLSchema | None:
        """Shopify's own schema, where it is at hand."""
        if self.schema_file is None:
            return None
        answer = json.loads(gzip.decompress(self.schema_file.read_bytes()))
        return build_client_schema(answer.get("data", answer), assume_valid=True)

    def reset(self) -> None:
        """Forget tokens, bulk operations, faults and counts; the shop itself stays."""
        with self.lock:
            vars(self.settings).update(vars(self._initial))
            self.bucket = Bucket(self.bucket_size, self.restore_rate, self.clock)
            self.tokens.clear()
            self.requests.clear()
            self.leaks = 0
            self.faults.clear()
            self.bulk.reset()

    def close(self) -> None:
        """Remove what lies on disk."""
        self.bulk.close()

    def fail(self, kind: ShopFault | str, *, times: int = 1, detail: str = "", root: str = "") -> None:
        """
        Queue a fault; see :meth:`Faults.queue`.

        :param kind: What goes wrong.
        :param times: How often.
        :param detail: What the kind says it means.
        :param root: Only for requests that ask this root field, such as ``bulkOperation``.
        """
        self.faults.queue(kind, times=times, detail=detail, root=root)

    def tallies(self) -> dict[str, int]:
        """Count the shop: ``{"customers": n, "orders": n, "lines": n}``."""
        return self.store.tallies

    def issue(self, client_id: str, client_secret: str) -> str | None:
        """Return a new token for an app's credentials, or ``None`` where they are wrong."""
        if (client_id, client_secret) != (CLIENT_ID, CLIENT_SECRET):
            return None
        token = f"shpat_{secrets.token_hex(16)}"
        with self.lock:
            self.tokens[token] = self.clock() + self.settings.token_seconds
        return token

    def knows(self, token: str) -> bool:
        """Whether a token opens the shop now."""
        return token == STATIC_TOKEN or self.tokens.get(token, 0.0) > self.clock()

    def expire_tokens(self) -> None:
        """Let every token of the client credentials grant end now."""
        with self.lock:
            self.tokens.clear()

    def served(self, version: str) -> str | None:
        """Return the version that answers: an expired one is answered by the oldest that lives, an unknown one not at all."""
        versions = self.settings.versions
        if version in {*versions, "unstable"}:
            return version
        known = len(version) == len("2026-01") and version.replace("-", "").isdigit() and version < versions[-1]
        return versions[0] if known else None

    def check(self, text: str, variables: documents.Json | None = None) -> documents.Document:
        """
        Read a document, against Shopify's own schema where it is at hand, and against what the shop holds.

        :raises Refused: It does not fit.
        """
        if self.schema:
            documents.read(text, self.schema, variables)
        return documents.read(text, documents.held(), variables)
