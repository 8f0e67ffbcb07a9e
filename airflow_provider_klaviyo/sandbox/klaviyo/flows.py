# SPDX-License-Identifier: Apache-2.0
"""``/api/flows``: messages that something a person does sets off. They are made by hand: :meth:`KlaviyoState.add_flow`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, filters, resources
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import moment, token
from airflow_provider_klaviyo.sandbox.klaviyo.problems import invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState
from airflow_provider_klaviyo.sandbox.klaviyo.tags import tags_of

Json = dict[str, Any]
ACTIONS = "flow-actions"
FLOW = Kind("flow", "flows", "Flow", relations={ACTIONS: Relation("flow-action"), "tags": Relation("tag")})
ACTION = Kind(
    "flow-action",
    ACTIONS,
    "Flow action",
    relations={"flow": Relation("flow", many=False), "flow-messages": Relation("flow-message")},
)
FIRST_ACTION = 100_000_000
TRIGGERS: dict[str, Json] = {"Added to List": {"type": "list"}, "Metric": {"type": "metric", "trigger_filter": None}}
"""What sets a flow off, by ``trigger_type``; an ``Unconfigured`` one nothing does."""
MESSAGE: Json = {
    **dict.fromkeys(("from_email", "from_label", "reply_to_email", "cc_email", "bcc_email", "subject_line", "preview_text")),
    **dict.fromkeys(("template_id", "custom_tracking_params", "additional_filters")),
    "smart_sending_enabled": True,
    "transactional": False,
    "add_tracking_params": False,
}


class Change(Strict):
    """Attributes of a changed flow."""

    status: Literal["draft", "manual", "live"]


UPDATE = bodies.document("flow", Change, identified=True)


@answers("get_flows")
def get_flows(call: Call) -> Answer:
    """List flows, without their definitions."""
    if any(each.startswith("definition") for each in call.query.fields.get("flow", ())):
        raise invalid("'definition' is not a valid field for flow.", parameter="fields[flow]")
    for term in call.query.terms:
        if term.field in FLOW.times:
            if filters.moment(term) > moment(call.state.now()):
                raise invalid(f"{term.field} may not be compared with a time in the future.", parameter="filter")
            if call.query.sort not in {"", term.field}:
                raise invalid(f"What is filtered by {term.field} can only be sorted by it.", parameter="sort")
    found, following = resources.page(call, FLOW)
    return Answer(200, call.page([_show(call, each) for each in found], following, _included(call, found)))


@answers("get_flow")
def get_flow(call: Call) -> Answer:
    """Read one flow."""
    found = _load(call)
    return Answer(200, call.document(_show(call, found), _included(call, [found])))


@answers("update_flow")
def update_flow(call: Call) -> Answer:
    """Change the status of a flow, and of all its actions."""
    found = _load(call)
    status = bodies.parse(call, UPDATE).attributes.status
    for action in _actions(call.state, found):
        definition = action.attributes["definition"]
        resources.change(call.state, action, {"definition": {**definition, "data": {**definition["data"], "status": status}}})
    return Answer(200, call.document(_show(call, resources.change(call.state, found, {"status": status}), written=True)))


def add(state: KlaviyoState, name: str, status: str, trigger_type: str) -> Resource:
    """
    Store a flow that sends one e-mail.

    :param state: The account.
    :param name: Its name.
    :param status: ``draft``, ``manual`` or ``live``.
    :param trigger_type: ``Added to List``, ``Metric`` or ``Unconfigured``.
    """
    flow_id, action_id = token(6), str(FIRST_ACTION + len(resources.every(state, ACTION)))
    message = {**MESSAGE, "name": name, "id": token(6)}
    action = {"id": action_id, "type": "send-email", "data": {"message": message, "status": status}, "links": {"next": None}}
    resources.make(state, ACTION, {"definition": action}, identity=action_id, related={"flow": [flow_id]})
    triggers = [] if trigger_type == "Unconfigured" else [{**TRIGGERS[trigger_type], "id": token(6)}]
    attributes = {"name": name, "status": status, "archived": False, "trigger_type": trigger_type, "triggers": triggers}
    return resources.make(state, FLOW, attributes, identity=flow_id, related={ACTIONS: [action_id]})


def _load(call: Call) -> Resource:
    found = resources.find(call.state, FLOW, call.ids[0])
    if found is None:
        raise not_found(f"A flow with id {call.ids[0]} does not exist.")
    return found


def _actions(state: KlaviyoState, flow: Resource) -> list[Resource]:
    return [resources.load(state, ACTION, each) for each in flow.related[ACTIONS]]


def _show(call: Call, flow: Resource, *, written: bool = False) -> Json:
    """Show a flow; its definition only where it is asked for."""
    attributes = dict(flow.attributes)
    triggers = attributes.pop("triggers")
    if any(each.startswith("definition") for each in call.fields("flow") or call.query.additional.get("flow") or ()):
        actions = [each.attributes["definition"] for each in _actions(call.state, flow)]
        definition = {"triggers": triggers, "profile_filter": None, "actions": actions, "entry_action_id": actions[0]["id"]}
        attributes["definition"] = definition
    tagged = {**flow.related, "tags": [each.id for each in tags_of(call.state, "flows", flow.id)]}
    return resources.show(call, replace(flow, attributes=attributes, related=tagged), written=written)


def _included(call: Call, found: Iterable[Resource]) -> list[Json] | None:
    if not call.query.include:
        return None
    included: dict[str, Json] = {}
    for flow in found:
        if ACTIONS in call.query.include:
            included |= {each.id: resources.show(call, each, data=("flow",)) for each in _actions(call.state, flow)}
        if "tags" in call.query.include:
            included |= {each.id: resources.show(call, each) for each in tags_of(call.state, "flows", flow.id)}
    return list(included.values())
