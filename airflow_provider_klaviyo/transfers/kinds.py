# SPDX-License-Identifier: Apache-2.0
"""What a load brings to Klaviyo: profiles, events, consent or a list's members. Each source operator is one of these and a source."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_klaviyo.api.subscriptions import Channel
from airflow_provider_klaviyo.operators.not_nothing import NotNothing
from airflow_provider_klaviyo.transfers.base import KindName, KlaviyoLoadOperator, audit_trail, folder

if TYPE_CHECKING:
    from airflow.sdk import Context


class ProfilesLoad(KlaviyoLoadOperator):
    """
    Load rows as profiles.

    Consent does not travel with a profile, and being in a list is none.

    :param list_id: List the profiles are added to.
    :param state_path: Folder that remembers what was loaded of each profile, as an object storage URL: the next run of this task leaves out
        what has not changed since. Without it every row is sent.
    :param resend: Send unchanged rows, too.
    :param identity_conflict: What becomes of a row whose identifiers belong to several people: ``reject`` names them, ``drop_phone`` sends it
        again without its phone number. People are never merged.
    """

    kind: ClassVar[KindName] = "profiles"

    list_id: str | None = None
    state_path: str | None = None
    resend: bool = False
    identity_conflict: Literal["reject", "drop_phone"] = "reject"

    def plan_fields(self, context: Context) -> dict[str, Any]:
        """Add what only profiles have."""
        index = getattr(context["ti"], "map_index", -1)
        return {
            **super().plan_fields(context),
            "list_id": self.list_id,
            "state_path": folder("state_path", self.state_path) if self.state_path else None,
            "state_name": f"profiles-{self.dag_id}.{self.task_id}" + (f".{index}" if index >= 0 else ""),
            "resend": self.resend,
            "identity_conflict": self.identity_conflict,
        }


class EventsLoad(KlaviyoLoadOperator):
    """
    Load rows as events.

    A row that is loaded again is not counted twice: what was sent before stands in a ledger at ``state_path``.

    :param state_path: Folder for the ids of sent events, as an object storage URL that every worker reaches; by default
        ``[klaviyo] state_path`` of Airflow's configuration.
    :param backfill_after: Events older than this are recorded without starting flows. ``None``: all start flows.
    :param unique_id_scope: What a ``unique_id`` is unique in: ``profile`` as in Klaviyo, or ``metric`` where the source
        never gives one id to two people, so that a person whose e-mail changed is not sent the same event again.
    :param resend: Send events again that an earlier load sent; Klaviyo keeps the first.
    """

    kind: ClassVar[KindName] = "events"

    state_path: str | None = None
    backfill_after: timedelta | None = timedelta(hours=24)
    unique_id_scope: Literal["profile", "metric"] = "profile"
    resend: bool = False

    def plan_fields(self, context: Context) -> dict[str, Any]:
        """Add what only events have."""
        return {
            **super().plan_fields(context),
            "state_path": folder("state_path", self.state_path),
            "backfill_after": self.backfill_after,
            "unique_id_scope": self.unique_id_scope,
            "resend": self.resend,
        }


class ConsentLoad(NotNothing, KlaviyoLoadOperator):
    """
    Load what people agreed to and what not.

    Each row says ``consent`` (``subscribed``, ``unsubscribed``, ``suppressed``, ``unsuppressed``), who said so (``email``,
    ``phone_number``), about which ``channels``, and when (``consented_at``).

    Nobody is subscribed without a dated record of their yes, unless the list asks them to confirm. A newer word in Klaviyo wins, and who
    has unsubscribed there stays so unless ``resubscribe`` is said. Each change is written down. A ``list_id``, ``max_change`` or
    ``audit_path`` that was given and renders to nothing is refused.

    :param subscribe: Whether rows that say yes are sent, also those that take a suppression back. Otherwise only those that say no are, and
        the others are skipped and counted.
    :param list_id: The list people are put in, or leave. Without one the words hold everywhere.
    :param leave: What a no is about where there is a list: that ``list`` alone, which takes nobody's consent, or ``everywhere``.
    :param channels: What words are about whose row names no channels.
    :param resubscribe: Whether people who have said no may be subscribed by a later yes.
    :param custom_source: Where the consent comes from, in your words; Klaviyo shows it.
    :param max_change: The most people who may be unsubscribed or suppressed: a count, or below 1 a share of the list's members. More stop
        the load before anything is sent.
    :param audit_path: Folder for the audit trail, a line for each change; by default ``[klaviyo] audit_path`` of Airflow's configuration.
    :param audit_identities: Whether addresses and numbers stand in it; otherwise a hash that ``[klaviyo] audit_key`` keys.
    """

    kind: ClassVar[KindName] = "consent"
    not_nothing: ClassVar[tuple[str, ...]] = ("list_id", "max_change", "audit_path")

    subscribe: bool = False
    list_id: str | None = None
    leave: Literal["list", "everywhere"] = "list"
    channels: Sequence[Channel] = ("email.marketing",)
    resubscribe: bool = False
    custom_source: str | None = None
    max_change: float | None = None
    audit_path: str | None = None
    audit_identities: bool = False

    def plan_fields(self, context: Context) -> dict[str, Any]:
        """Add the rules."""
        from airflow_provider_klaviyo.loading.consent import ConsentRules

        rules = ConsentRules(
            subscribe=self.subscribe,
            list_id=self.list_id,
            leave=self.leave,
            channels=tuple(self.channels),
            resubscribe=self.resubscribe,
            custom_source=self.custom_source,
        )
        who = {"connection": self.klaviyo_conn_id, **self._names(context)}
        trail = audit_trail(self.audit_path, who, identities=self.audit_identities)
        return {**super().plan_fields(context), "consent": rules, "max_change": self.max_change, "audit": trail}


class MembersLoad(KlaviyoLoadOperator):
    """
    Make the members of a list exactly the people that rows name: by ``id``, ``email``, ``phone_number`` or ``external_id``.

    That subscribes and unsubscribes nobody. Who is unknown to Klaviyo becomes a profile.

    :param list_id: The list.
    :param max_change: The most members who may be taken out: a count, or below 1 a share of them. More stop the load before
        anything is changed.
    """

    kind: ClassVar[KindName] = "members"

    list_id: str
    max_change: float = 0.5

    def plan_fields(self, context: Context) -> dict[str, Any]:
        """Add the list."""
        return {**super().plan_fields(context), "list_id": self.list_id, "max_change": self.max_change}
