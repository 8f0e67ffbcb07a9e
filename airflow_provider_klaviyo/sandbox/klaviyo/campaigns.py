# SPDX-License-Identifier: Apache-2.0
"""``/api/campaigns``: messages sent to many at once. A campaign has audiences, each of them messages, each of them variations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, documents, resources
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.campaign_bodies import ASSIGN, CLONE, CREATE, UPDATE
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso, token, ulid
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.segments import SEGMENT
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState
from airflow_provider_klaviyo.sandbox.klaviyo.tags import TAG, tags_of
from airflow_provider_klaviyo.sandbox.klaviyo.templates import TEMPLATE

Json = dict[str, Any]
AUDIENCES, MESSAGES, VARIATIONS = "campaign-audiences", "campaign-messages", "campaign-variations"
CAMPAIGN = Kind(
    "campaign",
    "campaigns",
    "Campaign",
    relations={AUDIENCES: Relation("campaign-audience"), MESSAGES: Relation("campaign-message"), "tags": Relation("tag")},
    times=("created_at", "updated_at"),
    within="definition",
)
AUDIENCE = Kind(
    "campaign-audience",
    AUDIENCES,
    "Campaign audience",
    relations={"campaign": Relation("campaign", many=False), MESSAGES: Relation("campaign-message")},
)
MESSAGE = Kind(
    "campaign-message",
    MESSAGES,
    "Campaign message",
    relations={
        "campaign": Relation("campaign", many=False),
        "campaign-audience": Relation("campaign-audience", many=False),
        VARIATIONS: Relation("campaign-variation"),
    },
)
VARIATION = Kind(
    "campaign-variation", VARIATIONS, "Campaign variation", relations={"campaign-message": Relation("campaign-message", many=False)}
)
KINDS = {AUDIENCES: AUDIENCE, MESSAGES: MESSAGE, "tags": TAG}
NEW: Json = {"name": None, "builder": "wizard", "archived": False, "color": None, "description": None, "send_settings": None}
THROTTLING = {
    "NONE": "none",
    "FOR_CAMPAIGNS": "throttle-for-campaigns",
    "FOR_FLOWS": "throttle-for-flows",
    "FOR_CAMPAIGNS_AND_FLOWS": "throttle-for-campaigns-and-flows",
}
CONTENT = ("subject", "preview_text", "from_email", "from_label", "reply_to_email", "cc_email", "bcc_email")


@answers("get_campaigns")
def get_campaigns(call: Call) -> Answer:
    """List campaigns, of all channels: since 2026-10-15 one may have several."""
    found, following = resources.page(call, CAMPAIGN)
    return Answer(200, call.page([_show(call, each) for each in found], following, _included(call, found)))


@answers("get_campaign")
def get_campaign(call: Call) -> Answer:
    """Read one campaign."""
    found = load(call.state, call.ids[0])
    return Answer(200, call.document(_show(call, found), _included(call, [found])))


@answers("create_campaign")
def create_campaign(call: Call) -> Answer:
    """Make a campaign, a draft, with its audiences, messages and variations."""
    asked = bodies.parse(call, CREATE).attributes.given()
    audiences, messages = asked.get("audiences") or [], asked.get("messages") or []
    _check_groups(call, audiences)
    made = _make(call.state, CAMPAIGN, {"definition": {**NEW, **asked["definition"]}})
    temporary: dict[str, Resource] = {}
    for priority, each in enumerate(audiences, start=1):
        definition = {
            "name": each.get("name"),
            "included": each.get("included") or [],
            "excluded": each.get("excluded") or [],
            "priority": priority,
        }
        temporary[each["temporary_id"]] = _make(call.state, AUDIENCE, {"definition": definition}, campaign=[made.id])
    for each in messages:
        message = _add_message(call.state, made, temporary[each["audience_temporary_id"]], _message(each))
        for variation in each.get("variations") or [{"definition": {"name": each.get("name")}}]:
            _add_variation(call.state, message, variation)
    return Answer(201, call.document(_show(call, load(call.state, made.id), written=True)))


@answers("update_campaign")
def update_campaign(call: Call) -> Answer:
    """Change a campaign."""
    found = load(call.state, call.ids[0])
    changed = bodies.parse(call, UPDATE).attributes.given()["definition"]
    definition = {**found.attributes["definition"], **changed}
    return Answer(200, call.document(_show(call, resources.change(call.state, found, {"definition": definition}), written=True)))


@answers("delete_campaign")
def delete_campaign(call: Call) -> Answer:
    """Delete a campaign, and what it is made of."""
    found = load(call.state, call.ids[0])
    for message in messages_of(call.state, found):
        _remove(call.state, VARIATION, message.related.get(VARIATIONS, ()))
        resources.remove(call.state, message)
    _remove(call.state, AUDIENCE, found.related.get(AUDIENCES, ()))
    resources.remove(call.state, found)
    return Answer(204)


@answers("clone_campaign")
def clone_campaign(call: Call) -> Answer:
    """Make a copy of a campaign, a draft."""
    asked = bodies.parse(call, CLONE)
    found = load(call.state, asked.id)
    name = asked.attributes.name or f"Copy of {found.attributes['definition']['name']}"
    made = _make(call.state, CAMPAIGN, {"definition": {**found.attributes["definition"], "name": name}})
    copies = {
        each: _make(call.state, AUDIENCE, resources.load(call.state, AUDIENCE, each).attributes, campaign=[made.id])
        for each in found.related.get(AUDIENCES, ())
    }
    for message in messages_of(call.state, found):
        definition = {**message.attributes["definition"], "status": "draft"}
        copy = _add_message(call.state, made, copies[message.related["campaign-audience"][0]], definition)
        for each in message.related[VARIATIONS]:
            _add_variation(call.state, copy, resources.load(call.state, VARIATION, each).attributes)
    return Answer(201, call.document(_show(call, load(call.state, made.id), written=True)))


@answers("assign_template_to_campaign_message")
def assign_template_to_campaign_message(call: Call) -> Answer:
    """Give a message a copy of a template; what is answered has the shape it had in older revisions."""
    asked = bodies.parse(call, ASSIGN)
    message = resources.load(call.state, MESSAGE, asked.id)
    template = resources.load(call.state, TEMPLATE, asked.relationships.template.data.id)
    variation = resources.load(call.state, VARIATION, message.related[VARIATIONS][0])
    definition = variation.attributes["definition"]
    details = definition.get("details") or {"channel": "email"}
    if details["channel"] != "email":
        raise invalid("A template can be assigned to an email message only.", "/data/relationships/template")
    copy = token(6)
    resources.change(call.state, variation, {"definition": {**definition, "details": {**details, "template_id": copy}}})
    changed = resources.change(call.state, message)
    attributes: Json = {
        "label": message.attributes["definition"]["name"] or "",
        "channel": "email",
        "content": {name: details.get(name, "") for name in CONTENT},
        "send_times": [],
        "render_options": None,
        "created_at": iso(changed.created),
        "updated_at": iso(changed.updated),
    }
    data = {"campaign": documents.identity("campaign", message.related["campaign"][0]), "template": documents.identity("template", copy)}
    shown = documents.resource(call.base, "campaign-message", message.id, attributes, data=data, path=MESSAGES, related=data)
    content = {"name": f"Clone of {template.id}", **{name: template.attributes[name] for name in ("editor_type", "html", "text", "amp")}}
    included = documents.resource(
        call.base,
        "template",
        copy,
        {**content, "created": iso(changed.updated), "updated": iso(changed.updated)},
        path="templates",
        related=(),
    )
    return Answer(200, call.document(shown, [included]))


def load(state: KlaviyoState, identity: str) -> Resource:
    """
    Return a campaign.

    :raises Refused: 404, as recorded.
    """
    found = resources.find(state, CAMPAIGN, identity)
    if found is None:
        raise not_found(f"A campaign with id '{identity}' does not exist.")
    return found


def messages_of(state: KlaviyoState, campaign: Resource) -> list[Resource]:
    """Return the messages of a campaign."""
    return [resources.load(state, MESSAGE, each) for each in campaign.related.get(MESSAGES, ())]


def _check_groups(call: Call, audiences: Iterable[Json]) -> None:
    problems = [
        Problem(f"'{group}' is not a list or segment of this account.", f"/data/attributes/audiences/{at}/{name}/{position}")
        for at, audience in enumerate(audiences)
        for name in ("included", "excluded")
        for position, group in enumerate(audience.get(name) or ())
        if not _is_group(call, group)
    ]
    call.refuse(problems)


def _is_group(call: Call, identity: str) -> bool:
    found = call.state.db.execute("SELECT 1 FROM lists WHERE id = ?", (identity,)).fetchone()
    return bool(found or resources.find(call.state, SEGMENT, identity))


def _message(given: Json) -> Json:
    """Return the definition of a new message."""
    return {
        "name": given.get("name"),
        "status": "draft",
        "tracking_options": {"is_add_utm": bool(given.get("is_add_utm"))},
        "send_options": {"throttling_type": THROTTLING[given.get("throttling_type") or "NONE"]},
    }


def _add_message(state: KlaviyoState, campaign: Resource, audience: Resource, definition: Json) -> Resource:
    related = {"campaign": [campaign.id], "campaign-audience": [audience.id], VARIATIONS: []}
    made = _make(state, MESSAGE, {"definition": definition}, **related)
    _append(state, AUDIENCE, audience.id, MESSAGES, made.id)
    return made


def _add_variation(state: KlaviyoState, message: Resource, attributes: Json) -> None:
    _make(state, VARIATION, attributes, **{"campaign-message": [message.id]})


def _make(state: KlaviyoState, kind: Kind, attributes: Json, **related: list[str]) -> Resource:
    """Store something of a campaign, and let what it belongs to know."""
    made = resources.make(state, kind, attributes, identity=ulid(state.now()), related=related)
    if kind is AUDIENCE or kind is MESSAGE:
        _append(state, CAMPAIGN, related["campaign"][0], kind.path, made.id)
    elif kind is VARIATION:
        _append(state, MESSAGE, related["campaign-message"][0], kind.path, made.id)
    return made


def _append(state: KlaviyoState, kind: Kind, identity: str, name: str, added: str) -> None:
    found = resources.load(state, kind, identity)
    resources.change(state, found, related={name: [*found.related.get(name, ()), added]})


def _remove(state: KlaviyoState, kind: Kind, ids: Iterable[str]) -> None:
    for each in ids:
        resources.remove(state, resources.load(state, kind, each))


def _tagged(call: Call, campaign: Resource) -> Resource:
    tags = [each.id for each in tags_of(call.state, "campaigns", campaign.id)]
    return replace(campaign, related={**campaign.related, "tags": tags})


def _show(call: Call, campaign: Resource, *, written: bool = False) -> Json:
    return resources.show(call, _tagged(call, campaign), written=written, data=(AUDIENCES, MESSAGES))


def _included(call: Call, found: Iterable[Resource]) -> list[Json] | None:
    if not call.query.include:
        return None
    named = {(name, each) for campaign in found for name in call.query.include for each in _tagged(call, campaign).related.get(name, ())}
    return [resources.show(call, resources.load(call.state, KINDS[name], each)) for name, each in sorted(named)]
