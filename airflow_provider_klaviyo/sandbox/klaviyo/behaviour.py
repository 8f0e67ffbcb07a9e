# SPDX-License-Identifier: Apache-2.0
"""How the local Klaviyo acts, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

KEY = "pk_sandbox"
ACCOUNT = "SandBx"
WEBHOOK_SECRET = "whsec_sandbox_secret"


@dataclass
class Behaviour:
    """
    How the local Klaviyo acts where Klaviyo's own behaviour is set by the account, or is not known.

    :param keys: Private keys and their scopes; ``None`` for all scopes.
    :param limits: Whether the documented rate limits hold.
    :param job_seconds: How long an import job takes.
    :param list_lag: Seconds that lists lag behind: what was made since is not in them, though it is there by its id.
    :param reused_unique_id: What a bulk request gets whose event was sent before: the event is dropped in silence, or the request refused.
    :param appended_again: What becomes of a value that is appended to a list which holds it.
    :param late_checks: Attributes of profiles that are not checked at the request, so that a bad one is an import error after the job.
    :param opt_in_process: Whether who subscribes without a list has to confirm it.
    :param sms_regions: Beginnings of the phone numbers that the account can send to, such as ``+1``; ``None`` for all.
    :param age_gating: Whether a subscription to SMS needs a date of birth.
    :param unwelcome: E-mail addresses that are refused although nothing can be seen to be wrong with them: not all of Klaviyo's rules are known.
    :param pointers: How much of what is wrong with a body is told.
    :param plain_import_errors: Import errors point at ``/data`` and leave out the payload, as the specification allows.
    :param rotation: Whether renewing an OAuth token gives the same refresh token, or another, which ends the one before: using that again
        ends them all.
    :param token_seconds: How long an OAuth token lives.
    :param gzip_bodies: Whether compressed bodies are taken; 415 otherwise.
    :param advanced_kdp: Whether a key may manage webhooks; 403 otherwise, as recorded of a private one.
    :param sent_again: What a campaign gets that is to be sent while a job is about to: it is refused, or sent by another job.
    :param campaigns_end: What becomes of a campaign's messages in the end: ``sent``, ``cancelled``, or any other word, known or not.
    :param estimations: Whether an estimation of recipients is ever to be seen; 404 otherwise, as recorded of an account without any.
    :param links: Where links lead, such as ``https://a.klaviyo.com``; ``None`` for the host that was asked, always with ``https``, since
        the official SDK follows no other.
    :param lacking_dimension: What stands in a row of aggregates for a dimension that its events lack, where they have another.
    """

    keys: dict[str, frozenset[str] | None] = field(default_factory=lambda: {KEY: None})
    limits: Literal["documented", "off"] = "documented"
    job_seconds: float = 2.0
    list_lag: float = 0.0
    reused_unique_id: Literal["drop", "refuse"] = "drop"
    appended_again: Literal["add", "drop"] = "add"
    late_checks: frozenset[str] = frozenset()
    opt_in_process: Literal["double_opt_in", "single_opt_in"] = "double_opt_in"
    sms_regions: frozenset[str] | None = None
    age_gating: bool = False
    unwelcome: frozenset[str] = frozenset()
    pointers: Literal["all", "first", "none"] = "all"
    plain_import_errors: bool = False
    rotation: Literal["same", "rotate"] = "same"
    token_seconds: int = 3600
    gzip_bodies: bool = True
    advanced_kdp: bool = True
    sent_again: Literal["refuse", "take"] = "refuse"
    campaigns_end: str = "sent"
    estimations: bool = True
    links: str | None = None
    lacking_dimension: Literal["left_out", "blank"] = "left_out"


@dataclass(frozen=True)
class JobPlan:
    """
    How an import job to come ends.

    :param status: Any word, known or not; the rows of a job that is not ``complete`` are not imported.
    :param fail: Rows that become import errors, by their place in the request.
    :param late: Attributes that are checked when the job runs, not before.
    """

    status: str = "complete"
    fail: frozenset[int] = frozenset()
    late: frozenset[str] = frozenset()
