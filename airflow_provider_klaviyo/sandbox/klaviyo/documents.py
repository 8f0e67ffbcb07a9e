# SPDX-License-Identifier: Apache-2.0
"""JSON:API documents as Klaviyo writes them: ``links`` on everything, sparse fields, included resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

PLURAL = {
    "account": "accounts",
    "event": "events",
    "list": "lists",
    "metric": "metrics",
    "profile": "profiles",
    "profile-bulk-import-job": "profile-bulk-import-jobs",
    "profile-suppression-bulk-create-job": "profile-suppression-bulk-create-jobs",
    "profile-suppression-bulk-delete-job": "profile-suppression-bulk-delete-jobs",
}
RELATED = {
    "event": ("profile", "metric"),
    "list": ("profiles", "tags", "flow-triggers"),
    "metric": ("flow-triggers",),
    "profile": ("lists", "segments", "push-tokens", "conversation"),
    "profile-bulk-import-job": ("lists", "profiles", "import-errors"),
    "profile-suppression-bulk-create-job": ("lists", "segments"),
    "profile-suppression-bulk-delete-job": ("lists", "segments"),
}
LOCATION = ("address1", "address2", "city", "country", "latitude", "longitude", "region", "zip", "timezone", "ip")
PREDICTIVE = (
    "historic_number_of_orders",
    "predicted_number_of_orders",
    "average_days_between_orders",
    "average_order_value",
    "historic_clv",
    "predicted_clv",
    "total_clv",
    "churn_probability",
    "expected_date_of_next_order",
    "ranked_channel_affinity",
)

CATALOG = frozenset(
    {"created", "custom_metadata", "description", "external_id", "id", "image_full_url", "image_thumbnail_url", "images", "price"}
    | {"published", "title", "updated", "url"}
)

#: What ``fields[type]`` may name. A dot leads into an object.
FIELDS: Mapping[str, frozenset[str]] = {
    "account": frozenset(
        {"contact_information", "id", "industry", "locale", "preferred_currency", "public_api_key", "test_account", "timezone"}
        | {
            f"contact_information.{each}"
            for each in ("default_sender_email", "default_sender_name", "organization_name", "street_address", "website_url")
        }
        | {f"contact_information.street_address.{each}" for each in ("address1", "address2", "city", "country", "region", "zip")}
    ),
    "attribution": frozenset({"id"}),
    "campaign": frozenset(
        {"created_at", "definition", "id", "updated_at"}
        | {f"definition.{each}" for each in ("archived", "builder", "color", "description", "name", "send_settings")}
        | {f"definition.send_settings.{each}" for each in ("send_passed_rltz_immediately", "send_strategy", "send_timezone")}
        | {f"definition.send_settings.exit_condition_{each}" for each in ("conversion_metric_id", "enabled")}
    ),
    "campaign-audience": frozenset(
        {"created", "definition", "id", "updated"} | {f"definition.{each}" for each in ("excluded", "included", "name", "priority")}
    ),
    "campaign-message": frozenset(
        {"created", "definition", "id", "updated"}
        | {f"definition.{each}" for each in ("ab_test", "name", "send_options", "status", "tracking_options")}
    ),
    "catalog-category": frozenset({"external_id", "id", "name", "updated"}),
    "catalog-item": CATALOG,
    "catalog-variant": CATALOG | {"inventory_policy", "inventory_quantity", "sku"},
    **{
        f"{kind}-bulk-{verb}-job": frozenset(
            {"completed_at", "completed_count", "created_at", "errors", "expires_at", "failed_count", "id", "status", "total_count"}
        )
        for kind in ("catalog-item", "catalog-variant", "catalog-category", "coupon-code")
        for verb in ("create", "update", "delete")
    },
    "conversation": frozenset({"channel", "id"}),
    "coupon": frozenset(
        {"assigner_configuration", "description", "external_id", "id", "monitor_configuration"}
        | {f"assigner_configuration.{each}" for each in ("unused_expired", "used")}
    ),
    "coupon-code": frozenset({"expires_at", "id", "status", "unique_code"}),
    "event": frozenset({"datetime", "event_properties", "id", "timestamp", "uuid"}),
    "flow": frozenset(
        {"archived", "created", "definition", "id", "name", "status", "trigger_type", "updated"}
        | {f"definition.{each}" for each in ("actions", "entry_action_id", "profile_filter", "reentry_criteria", "triggers")}
    ),
    "image": frozenset({"format", "hidden", "id", "image_url", "name", "size", "updated_at"}),
    "import-error": frozenset({"code", "detail", "id", "original_payload", "source", "source.pointer", "title"}),
    "list": frozenset({"created", "id", "name", "opt_in_process", "updated", "profile_count"}),
    "metric": frozenset({"created", "id", "integration", "name", "updated"}),
    "profile": frozenset(
        {"created", "email", "external_id", "first_name", "id", "image", "joined_group_at", "last_event_date", "last_name", "locale"}
        | {"location", "organization", "phone_number", "predictive_analytics", "properties", "subscriptions", "title", "updated"}
        | {f"location.{each}" for each in LOCATION}
        | {f"predictive_analytics.{each}" for each in PREDICTIVE}
    ),
    "profile-bulk-import-job": frozenset(
        {"completed_at", "completed_count", "created_at", "expires_at", "failed_count", "id", "started_at", "status", "total_count"}
    ),
    **{
        f"profile-suppression-bulk-{verb}-job": frozenset(
            {"completed_at", "completed_count", "created_at", "id", "skipped_count", "status", "total_count"}
        )
        for verb in ("create", "delete")
    },
    "push-token": frozenset(
        {"background", "created", "enablement_status", "id", "metadata", "platform", "recorded_date", "token", "vendor"}
    ),
    "segment": frozenset({"created", "definition", "id", "is_active", "is_processing", "is_starred", "name", "updated"}),
    "tag": frozenset({"id", "name"}),
    "webhook": frozenset({"created_at", "description", "enabled", "endpoint_url", "id", "name", "updated_at"}),
    "webhook-topic": frozenset({"id"}),
}


def known_field(kind: str, name: str) -> bool:
    """Tell whether a field may be asked for."""
    return name in FIELDS[kind] or (kind == "profile" and name.startswith("subscriptions."))


def pick(attributes: Json, fields: Iterable[str] | None) -> Json:
    """Return the attributes that are asked for, all of them for ``None``."""
    if fields is None:
        return attributes
    chosen: Json = {}
    for path in fields:
        *parents, name = path.split(".")
        source, target = attributes, chosen
        for parent in parents:
            source = source.get(parent) or {}
            target = target.setdefault(parent, {})
        if name in source:
            target[name] = source[name]
    return chosen


def identity(kind: str, identifier: str) -> Json:
    """Return a resource identifier."""
    return {"type": kind, "id": identifier}


def resource(
    base: str,
    kind: str,
    identifier: str,
    attributes: Json,
    *,
    data: Mapping[str, Any] | None = None,
    rename: Mapping[str, str] | None = None,
    path: str | None = None,
    related: Iterable[str] | None = None,
) -> Json:
    """
    Return a resource.

    :param base: Scheme and host of its links.
    :param kind: Its type.
    :param identifier: Its id.
    :param attributes: Its attributes, already picked.
    :param data: Identifiers of related resources; a relationship without has links only.
    :param rename: Other names of relationships: some operations say ``conversations``.
    :param path: What stands after ``/api/`` in its address, where :data:`PLURAL` does not say.
    :param related: Its relationships, where :data:`RELATED` does not say.
    """
    here = f"{base}/api/{path or PLURAL[kind]}/{identifier}"
    entry: Json = {"type": kind, "id": identifier, "attributes": attributes}
    if relations := RELATED.get(kind, ()) if related is None else tuple(related):
        names = [(rename or {}).get(name, name) for name in relations]
        entry["relationships"] = {name: _relationship(here, name, data) for name in names}
    entry["links"] = {"self": f"{here}/"}
    return entry


def _relationship(here: str, name: str, data: Mapping[str, Any] | None) -> Json:
    links = {"self": f"{here}/relationships/{name}/", "related": f"{here}/{name}/"}
    if name == "import-errors":
        return {"links": {"related": links["related"]}}
    return {"data": data[name], "links": links} if data and name in data else {"links": links}
