# SPDX-License-Identifier: Apache-2.0
"""What Airflow is told about this package. Airflow calls it while it is itself being imported: nothing of it is imported here."""

from __future__ import annotations

from typing import Any

PACKAGE = "airflow_provider_klaviyo"
RESOURCES = (
    *("accounts", "campaign_sending", "campaigns", "catalogs", "coupons", "events", "flows", "images", "lists", "metrics"),
    *("privacy", "profiles", "reporting", "segments", "subscriptions", "tags", "templates", "webhooks"),
)
WAITED_FOR = ("campaigns", "events", "jobs")


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, after Airflow's ``provider_info.schema.json`` and ``provider.yaml.schema.json``."""
    return {
        "package-name": "airflow-provider-klaviyo",
        "name": "Klaviyo",
        "description": "Load customers and orders into Klaviyo, with every row accounted for.",
        "integrations": [
            {
                "integration-name": "Klaviyo",
                "external-doc-url": "https://developers.klaviyo.com/en/reference/api_overview",
                "tags": ["service"],
            },
            {"integration-name": "Shopify", "external-doc-url": "https://shopify.dev/docs/api/admin-graphql", "tags": ["service"]},
        ],
        "hooks": [_modules("Klaviyo", "hooks.klaviyo"), _modules("Shopify", "hooks.shopify")],
        "operators": [
            _modules("Klaviyo", *(f"operators.{name}" for name in (*RESOURCES, "request"))),
            _modules("Shopify", "operators.shopify"),
        ],
        "sensors": [_modules("Klaviyo", *(f"sensors.{name}" for name in WAITED_FOR))],
        "triggers": [_modules("Klaviyo", *(f"triggers.{name}" for name in WAITED_FOR)), _modules("Shopify", "triggers.shopify")],
        "transfers": [
            _transfer("Shopify", "shopify_to_klaviyo"),
            _transfer("Common SQL", "sql_to_klaviyo"),
            _transfer("Common IO", "object_storage_to_klaviyo"),
        ],
        "connection-types": [_klaviyo_connection(), _shopify_connection()],
        "config": {"klaviyo": _config()},
    }


def _modules(integration: str, *names: str) -> dict[str, Any]:
    return {"integration-name": integration, "python-modules": [f"{PACKAGE}.{name}" for name in names]}


def _transfer(source: str, name: str) -> dict[str, str]:
    return {"source-integration-name": source, "target-integration-name": "Klaviyo", "python-module": f"{PACKAGE}.transfers.{name}"}


def _klaviyo_connection() -> dict[str, Any]:
    """Describe the form of a Klaviyo connection; :class:`~airflow_provider_klaviyo.settings.Settings` reads what it saves."""
    return {
        "connection-type": "klaviyo",
        "hook-class-name": f"{PACKAGE}.hooks.klaviyo.KlaviyoHook",
        "hook-name": "Klaviyo",
        "ui-field-behaviour": {
            "hidden-fields": ["login", "schema", "port"],
            "relabeling": {"password": "Private API key", "host": "Base URL"},
            "placeholders": {"password": "pk_... (leave empty with OAuth)", "host": "https://a.klaviyo.com"},
        },
        "conn-fields": {
            "revision": _field(
                "API revision",
                "Sent with every request; empty for the revision this package is tested with.",
                pattern=r"^(\d{4}-\d{2}-\d{2}(\.pre)?)?$",
            ),
            "timeout": _field(
                "Timeout (s)", "How long one request may take to connect and to answer. 60 where empty.", "number", minimum=1
            ),
            "max_attempts": _field("Attempts", "How often one request is tried; 429s do not count. 5 where empty.", "integer", minimum=1),
            "deadline": _field(
                "Deadline (s)", "How long one request may take with all its waits and attempts. 600 where empty.", "number", minimum=1
            ),
            "rate_share": _field(
                "Share of the rate limits",
                "The part of the account's limits that one worker process may use, above 0 and up to 1. 1 where empty.",
                "number",
                minimum=0,
                maximum=1,
            ),
            "public_key": _field("Public key", "The account's six-character company id, for /client endpoints."),
            "webhook_secret": _field("Webhook secret", "Checks the signature of Klaviyo's webhooks.", format="password"),
            "client_id": _field("OAuth client ID", "Of an OAuth app, in place of a private API key; with the two fields below."),
            "client_secret": _field("OAuth client secret", "Of the same app.", format="password"),
            "refresh_token": _field(
                "OAuth refresh token",
                "What the account granted the app. A new one is put here after the app was authorised again.",
                format="password",
            ),
        },
    }


def _shopify_connection() -> dict[str, Any]:
    """Describe the form of a Shopify connection."""
    return {
        "connection-type": "shopify",
        "hook-class-name": f"{PACKAGE}.hooks.shopify.ShopifyHook",
        "hook-name": "Shopify",
        "ui-field-behaviour": {
            "hidden-fields": ["login", "schema", "port"],
            "relabeling": {"password": "Admin API access token", "host": "Shop"},
            "placeholders": {"password": "shpat_... (leave empty with client id and secret)", "host": "my-shop.myshopify.com"},
        },
        "conn-fields": {
            "client_id": _field("Client ID", "Of a Dev Dashboard app: a token is then fetched as needed."),
            "client_secret": _field("Client secret", "Of the same app.", format="password"),
            "api_version": _field(
                "API version", "Empty for the version this package is tested with.", pattern=r"^(\d{4}-\d{2}|unstable)?$"
            ),
        },
    }


def _field(label: str, description: str, kind: str = "string", **schema: Any) -> dict[str, Any]:
    """Describe one optional field of a connection form."""
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


def _config() -> dict[str, Any]:
    return {
        "description": "Settings of the Klaviyo provider.",
        "options": {
            "staging_path": {
                "description": (
                    "Where a load keeps the batches it is about to send: a folder or an object storage URL that every worker reaches, such as"
                    " ``s3://conn_id@bucket/klaviyo``. Batches hold personal data; they are deleted when the load has succeeded."
                    " Empty: the folder ``klaviyo/staging`` below AIRFLOW_HOME, which serves a single machine."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "s3://aws_default@my-bucket/klaviyo-staging",
                "default": "",
            },
            "state_path": {
                "description": (
                    "Where loads of events keep the ids of what they have sent, so that no later load sends it again: a folder or an object"
                    " storage URL that every worker reaches. The ids are digests, which name nobody."
                    " Empty: the folder ``klaviyo/state`` below AIRFLOW_HOME, which serves a single machine."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "s3://aws_default@my-bucket/klaviyo-state",
                "default": "",
            },
            "audit_path": {
                "description": (
                    "Where loads of consent write down each change, a line of JSON: a folder or an object storage URL that every worker reaches."
                    " Empty: the folder ``klaviyo/audit`` below AIRFLOW_HOME, which serves a single machine."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": "s3://aws_default@my-bucket/klaviyo-audit",
                "default": "",
            },
            "audit_key": {
                "description": (
                    "A secret. The audit trail names people by a hash that nobody can make without it. Keep it as long as the trail: with"
                    " another one the same person has another hash. Empty: the trail names people by the keys of their rows alone."
                ),
                "version_added": "0.1.0",
                "type": "string",
                "example": None,
                "default": "",
                "sensitive": True,
            },
            "settle_seconds": {
                "description": (
                    "How long Klaviyo's lists may lag behind what was made, in seconds. A task whose request was not answered looks"
                    " in them before it makes another; that there is none it believes only so long after the request."
                ),
                "version_added": "0.1.0",
                "type": "float",
                "example": "60",
                "default": "30",
            },
        },
    }
