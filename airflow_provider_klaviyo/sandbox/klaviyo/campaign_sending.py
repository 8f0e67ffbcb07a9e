# SPDX-License-Identifier: Apache-2.0
"""The life of a campaign: estimated, scheduled, sent, stopped. A message goes from draft over scheduled and sending to its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, documents, later, resources, segments
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.campaign_bodies import ESTIMATE, SCHEDULE, SEND, STOP
from airflow_provider_klaviyo.sandbox.klaviyo.campaigns import AUDIENCE, AUDIENCES, CAMPAIGN, MESSAGE, load, messages_of
from airflow_provider_klaviyo.sandbox.klaviyo.database import iso_seconds, moment, to_micros, token, ulid
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.segments import SEGMENT
from airflow_provider_klaviyo.sandbox.klaviyo.state import MICROS, KlaviyoState

Json = dict[str, Any]
SEND_JOB = Kind("campaign-send-job", "campaign-send-jobs", "Campaign send job")
ESTIMATION_JOB = Kind("campaign-recipient-estimation-job", "campaign-recipient-estimation-jobs", "Campaign recipient estimation job")
ESTIMATION = Kind("campaign-recipient-estimation", "campaign-recipient-estimations", "Campaign recipient estimation")
LEFT = {"draft", "scheduled"}
STOPPABLE = {"scheduled", "sending"}
STRATEGIES = {"smart_send_time": "send_time_optimization"}


@answers("send_campaign")
def send_campaign(call: Call) -> Answer:
    """Send a campaign now: at first its job alone shows it. What is sent already is refused, what a job is about to send as the account does."""
    campaign = load(call.state, bodies.parse(call, SEND).id)
    left = [each for each in messages_of(call.state, campaign) if _status(each) in LEFT]
    job = resources.find(call.state, SEND_JOB, campaign.id)
    begun = job is not None and job.attributes["status"] == "queued" and all(_status(each) == "draft" for each in left)
    if not left or (begun and call.state.behaviour.sent_again == "refuse"):
        raise invalid("The campaign has no message left to send.", "/data/id")
    started = _start(call.state, campaign, {each.id: call.state.now() for each in left})
    return Answer(202, call.document(_job(call, started)))


@answers("get_campaign_send_job")
def get_campaign_send_job(call: Call) -> Answer:
    """Read the job that sends a campaign. It is complete once the sending has begun."""
    return _found(call, SEND_JOB)


@answers("cancel_campaign_send")
def cancel_campaign_send(call: Call) -> Answer:
    """Stop a campaign: for good, or so that it is a draft again."""
    campaign = load(call.state, call.ids[0])
    action = bodies.parse(call, STOP).attributes.action
    job = resources.find(call.state, SEND_JOB, campaign.id)
    queued = job is not None and job.attributes["status"] == "queued"
    stoppable = STOPPABLE | {"draft"} if queued else STOPPABLE
    stopped = [each for each in messages_of(call.state, campaign) if _status(each) in stoppable]
    if job is None or not stopped:
        raise invalid("The campaign is neither scheduled nor being sent.", "/data/id")
    for each in stopped:
        _turn(call.state, each, "cancelled" if action == "cancel" else "draft")
    resources.change(call.state, job, {"status": "cancelled"})
    return Answer(204)


@answers("schedule_campaign")
def schedule_campaign(call: Call) -> Answer:
    """Have messages of a campaign sent at a time."""
    asked = bodies.parse(call, SCHEDULE)
    campaign = load(call.state, asked.relationships.campaign.data.id)
    messages = {each.id: each for each in messages_of(call.state, campaign)}
    plans = {each.message_id: each for each in asked.attributes.message_schedules}
    at = {each: _time(plan) for each, plan in plans.items()}
    problems = []
    for number, each in enumerate(plans):
        where = f"/data/attributes/message_schedules/{number}"
        if each not in messages or _status(messages[each]) not in LEFT:
            problems.append(Problem("The message is not one of this campaign that is left to send.", f"{where}/message_id"))
        if at[each] <= call.state.now():
            problems.append(Problem("The time must be in the future.", f"{where}/send_time"))
    call.refuse(problems)
    for each, plan in plans.items():
        options = {"send_time": iso_seconds(at[each]), "send_strategy": STRATEGIES.get(plan.strategy, plan.strategy)}
        definition = messages[each].attributes["definition"]
        definition = {**definition, "send_options": {**(definition.get("send_options") or {}), **options}}
        _turn(call.state, resources.change(call.state, messages[each], {"definition": definition}), "scheduled")
    _start(call.state, campaign, at)
    data = {"campaign": documents.identity("campaign", campaign.id)}
    shown = {"messages": [_scheduled(plan, at[each]) for each, plan in plans.items()]}
    made = documents.resource(
        call.base, "campaign-schedule", ulid(call.state.now()), shown, data=data, path="campaign-schedule", related=data
    )
    return Answer(201, call.document(made))


@answers("refresh_campaign_recipient_estimation")
def refresh_campaign_recipient_estimation(call: Call) -> Answer:
    """Have the recipients of a campaign estimated."""
    campaign = load(call.state, bodies.parse(call, ESTIMATE).id)
    job = _put(call.state, ESTIMATION_JOB, campaign.id, {"status": "processing"})
    later.enqueue(call.state, "campaign-estimation", {"campaign": campaign.id})
    return Answer(202, call.document(_job(call, job)))


@answers("get_campaign_recipient_estimation_job")
def get_campaign_recipient_estimation_job(call: Call) -> Answer:
    """Read how far an estimation is."""
    return _found(call, ESTIMATION_JOB)


@answers("get_campaign_recipient_estimation")
def get_campaign_recipient_estimation(call: Call) -> Answer:
    """Read what was estimated."""
    return _found(call, ESTIMATION)


@later.works("campaign-send")
def send(state: KlaviyoState, given: Json) -> None:
    """Begin to send a message, or end it; nothing, where it was stopped in the meantime."""
    message, job = resources.find(state, MESSAGE, given["message"]), resources.find(state, SEND_JOB, given["campaign"])
    if message is None or job is None or job.attributes["turn"] != given["turn"] or job.attributes["status"] == "cancelled":
        return
    if given["end"] and _status(message) == "sending":
        _turn(state, message, state.behaviour.campaigns_end)
    elif not given["end"] and _status(message) in LEFT:
        _turn(state, message, "sending")
    resources.change(state, job, {"status": "complete"})


@later.works("campaign-estimation")
def estimate(state: KlaviyoState, given: Json) -> None:
    """Count who is in an included list or segment and in no excluded one."""
    campaign, job = (resources.find(state, kind, given["campaign"]) for kind in (CAMPAIGN, ESTIMATION_JOB))
    if campaign is None or job is None:
        return
    found: set[str] = set()
    for each in campaign.related.get(AUDIENCES, ()):
        definition = resources.load(state, AUDIENCE, each).attributes["definition"]
        found |= _members(state, definition["included"]) - _members(state, definition["excluded"])
    _put(state, ESTIMATION, campaign.id, {"estimated_recipient_count": len(found)})
    resources.change(state, job, {"status": "complete"})


def _start(state: KlaviyoState, campaign: Resource, begin: Mapping[str, int]) -> Resource:
    """Make a job that begins to send messages, each at a moment, and ends a little later."""
    turn, pause = token(6), int(state.behaviour.job_seconds * MICROS)
    for message, at in begin.items():
        for end in (False, True):
            given = {"campaign": campaign.id, "turn": turn, "message": message, "end": end}
            later.enqueue(state, "campaign-send", given, due=at + pause * (1 + end))
    return _put(state, SEND_JOB, campaign.id, {"status": "queued", "turn": turn})


def _put(state: KlaviyoState, kind: Kind, identity: str, attributes: Json) -> Resource:
    """Store a resource, in place of one that is there."""
    if before := resources.find(state, kind, identity):
        return resources.change(state, before, attributes)
    return resources.make(state, kind, attributes, identity=identity)


def _status(message: Resource) -> str:
    return str(message.attributes["definition"]["status"])


def _turn(state: KlaviyoState, message: Resource, status: str) -> None:
    resources.change(state, message, {"definition": {**message.attributes["definition"], "status": status}})


def _members(state: KlaviyoState, groups: list[str]) -> set[str]:
    found: set[str] = set()
    for each in groups:
        segment = resources.find(state, SEGMENT, each)
        rows = state.db.execute("SELECT profile_id FROM members WHERE list_id = ?", (each,)).fetchall()
        found.update(segments.members(state, segment) if segment else [row[0] for row in rows])
    return found


def _time(plan: Any) -> int:
    """Return when a message is sent; one that is sent when it suits, at the end of its day."""
    at: datetime = plan.send_time or datetime.combine(plan.send_date, time.max, tzinfo=moment(0).tzinfo)
    return to_micros(at)


def _scheduled(plan: Any, at: int) -> Json:
    options = plan.throttled_options.model_dump() if plan.throttled_options else {}
    times = {"send_date": plan.send_date.isoformat(), "send_time": None} if plan.send_date else {"send_time": iso_seconds(at)}
    return {"id": plan.message_id, "strategy": plan.strategy, **times, **options}


def _job(call: Call, job: Resource) -> Json:
    attributes = {name: value for name, value in job.attributes.items() if name != "turn"}
    return documents.resource(
        call.base, job.kind.type, job.id, documents.pick(attributes, call.fields(job.kind.type)), path=job.kind.path, related=()
    )


def _found(call: Call, kind: Kind) -> Answer:
    """Answer with what a campaign has of a kind; the wording of the refusal for one that has none is not known."""
    load(call.state, call.ids[0])
    found = resources.find(call.state, kind, call.ids[0])
    if found is None or (kind is not SEND_JOB and not call.state.behaviour.estimations):
        raise not_found(f"{kind.noun} with id '{call.ids[0]}' does not exist.")
    return Answer(200, call.document(_job(call, found)))
