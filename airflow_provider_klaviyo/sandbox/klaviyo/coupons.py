# SPDX-License-Identifier: Apache-2.0
"""``/api/coupons`` and ``/api/coupon-codes``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, bulk, resources
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.database import moment
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, invalid, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
COUPON = Kind("coupon", "coupons", "Coupon", times=("", ""))
CODE = Kind(
    "coupon-code",
    "coupon-codes",
    "Coupon code",
    {"coupon": Relation("coupon", many=False), "profile": Relation("profile", many=False)},
    times=("", ""),
)
EXTERNAL_ID = re.compile(r"[0-9_A-z]+")
YEAR = timedelta(weeks=52)
LOWEST = 100


def _known(external_id: str) -> str:
    if not EXTERNAL_ID.fullmatch(external_id):
        raise ValueError("Must match the pattern ^[0-9_A-z]+$.")
    return external_id


def _warned(configuration: Json) -> Json:
    if float(configuration.get("low_balance_threshold", LOWEST)) < LOWEST:
        raise ValueError(f"low_balance_threshold must be {LOWEST} or more.")
    return {name: str(value) for name, value in configuration.items()}  # recorded: a number comes back as a text


class Assigner(Strict):
    """When a person who has a code gets another one."""

    used: Literal["ALWAYS_ASSIGN", "ASSIGN_IF_EXPIRED", "NEVER_ASSIGN"]
    unused_expired: Literal["ALWAYS_ASSIGN", "NEVER_ASSIGN"]


class NewCoupon(Strict):
    """Attributes of a new coupon."""

    external_id: Annotated[str, AfterValidator(_known)]
    description: str | None = None
    monitor_configuration: Annotated[Json, AfterValidator(_warned)] | None = None
    assigner_configuration: Assigner | None = None


class NewCode(Strict):
    """Attributes of a new code."""

    unique_code: str
    expires_at: AwareDatetime | None = None


class OfCoupon(Strict):
    """The coupon of a code."""

    coupon: bodies.one_of("coupon")  # type: ignore[valid-type]


CREATE = bodies.document("coupon", NewCoupon)
ROW = bodies.document("coupon-code", NewCode, relationships=OfCoupon, needed=True).model_fields["data"].annotation


@answers("create_coupon")
def create_coupon(call: Call) -> Answer:
    """Make a coupon."""
    given = bodies.parse(call, CREATE).attributes.given()
    if resources.find(call.state, COUPON, given["external_id"]):
        problem = Problem(f"A coupon with the external_id '{given['external_id']}' already exists.", "/data/attributes/external_id")
        raise Refused(409, "conflict", problem)
    unset = {"description": None, "monitor_configuration": None}
    made = resources.make(call.state, COUPON, unset | given, identity=given["external_id"])
    return Answer(201, call.document(resources.show(call, made)))


@answers("get_coupon")
def get_coupon(call: Call) -> Answer:
    """Read one coupon; what cannot be an id is refused as such."""
    if not EXTERNAL_ID.fullmatch(call.ids[0]):
        raise invalid("Must match the pattern ^[0-9_A-z]+$.", "/data/id")
    found = resources.find(call.state, COUPON, call.ids[0])
    if found is None:
        raise not_found(f"A coupon with the given identifier '{call.ids[0]}' does not exist.")
    return Answer(200, call.document(resources.show(call, found)))


@answers("get_coupons")
def get_coupons(call: Call) -> Answer:
    """List coupons."""
    found, following = resources.page(call, COUPON)
    return Answer(200, call.page([resources.show(call, each) for each in found], following))


@answers("get_coupon_codes")
def get_coupon_codes(call: Call) -> Answer:
    """List codes. Recorded only with a filter by coupon, and as if it included the coupon."""
    found, following = resources.page(call, CODE)
    ids = dict.fromkeys(each.related["coupon"][0] for each in found)
    included = [resources.show(call, resources.load(call.state, COUPON, each)) for each in ids] if call.query.include else None
    return Answer(200, call.page([resources.show(call, each, data=("coupon",)) for each in found], following, included))


def add(state: KlaviyoState, row: Json) -> str:
    """
    Add a code to its coupon.

    :param state: The account.
    :param row: The row of the job.
    :raises Refused: There is no such coupon, or it has the code.
    """
    coupon, code = row["relationships"]["coupon"]["data"]["id"], row["attributes"]["unique_code"]
    resources.load(state, COUPON, coupon)
    identity = f"{coupon}-{code}"
    if resources.find(state, CODE, identity):
        raise Refused(409, "conflict", Problem(f"A coupon code with unique_code '{code}' already exists."))
    given = row["attributes"].get("expires_at")
    expiry = datetime.fromisoformat(given).astimezone(UTC) if given else moment(state.now()) + YEAR
    attributes = {"unique_code": code, "expires_at": expiry.isoformat(timespec="seconds"), "status": "UNASSIGNED"}
    resources.make(state, CODE, attributes, identity=identity, related={"coupon": [coupon]})
    return identity


bulk.serve(add, "coupon-code-bulk-create-job", CODE, "coupon-codes", ROW, most=1_000, linked=True)  # type: ignore[arg-type]
