# SPDX-License-Identifier: Apache-2.0
"""
Calls that a type checker must accept, and calls that it must refuse.

mypy's ``strict`` tells of an ignore that is not needed: so each one here says that the call is refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_klaviyo.operators.base import KlaviyoOperator, Personal, Verbatim
from airflow_provider_klaviyo.operators.events import KlaviyoCreateEventOperator
from airflow_provider_klaviyo.operators.lists import KlaviyoAddProfilesToListOperator, KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.profiles import KlaviyoBulkImportProfilesOperator, KlaviyoGetProfileOperator
from airflow_provider_klaviyo.operators.request import KlaviyoRequestOperator
from airflow_provider_klaviyo.sensors.jobs import KlaviyoJobSensor

KlaviyoCreateListOperator(task_id="vip", name="VIP", retries=3, klaviyo_conn_id="other", retry_policy=None)
KlaviyoCreateListOperator(task_id="vip", name="VIP", opt_in_process="double_opt_in", execution_timeout=timedelta(minutes=5))
KlaviyoCreateListOperator.partial(task_id="vip").expand(name=["a", "b"])
KlaviyoCreateListOperator(task_id="vip")  # type: ignore[call-arg]
KlaviyoCreateListOperator(task_id="vip", name=3)  # type: ignore[arg-type]
KlaviyoCreateListOperator(task_id="vip", name="VIP", opt_in_proces="double_opt_in")  # type: ignore[call-arg]
KlaviyoCreateListOperator(task_id="vip", name="VIP", opt_in_process="double")  # type: ignore[arg-type]
KlaviyoCreateListOperator(task_id="vip", name="VIP", retriez=3)  # type: ignore[call-arg]
KlaviyoCreateListOperator(task_id="vip", name="VIP", if_exists="replace")  # type: ignore[arg-type]

KlaviyoGetProfileOperator(task_id="sarah", lookup={"email": "sarah@example.com"})
KlaviyoGetProfileOperator(task_id="sarah", lookup="sarah@example.com")  # type: ignore[arg-type]

KlaviyoAddProfilesToListOperator(task_id="add", list_id="L", profile_ids=["P"])
KlaviyoAddProfilesToListOperator(task_id="add", list_id="L", profile_ids=[1])  # type: ignore[list-item]

KlaviyoBulkImportProfilesOperator(task_id="load", profiles=[{"email": "a@example.com"}], deferrable=True, poll_interval=5)
KlaviyoBulkImportProfilesOperator(task_id="load", profiles=[{"email": "a@example.com"}], wait="yes")  # type: ignore[call-arg]

KlaviyoCreateEventOperator(task_id="met", metric="Met", profile={"email": "a@example.com"}, value=1)
KlaviyoCreateEventOperator(task_id="met", metric="Met", profile={"email": "a@example.com"}, value="1")  # type: ignore[arg-type]

KlaviyoRequestOperator(task_id="any", path="/api/lists", query={"page[size]": 10}, paginate=True)
KlaviyoRequestOperator(task_id="any", path="/api/image-upload", method="POST", form={"name": "Logo"}, files={"file": "logo.png"})
KlaviyoRequestOperator(task_id="any", path="/api/lists", method="PUT")  # type: ignore[arg-type]
KlaviyoRequestOperator(task_id="any", path="/api/lists", response="xml")  # type: ignore[arg-type]

KlaviyoJobSensor(task_id="wait", job_id="J", kind="catalog-item-bulk-create", timeout=timedelta(hours=1), poke_interval=5, soft_fail=True)
KlaviyoJobSensor(task_id="wait", job_id="J", kind="catalog")  # type: ignore[arg-type]
KlaviyoJobSensor(task_id="wait", job_id="J", poke_intervall=5)  # type: ignore[call-arg]


class Mine(KlaviyoOperator):
    """A user's own operator, by fields."""

    name: str
    who: Personal[dict[str, Any] | None] = None
    html: Verbatim[str | None] = None


class MineLoud(KlaviyoCreateListOperator):
    """A user's own operator, by a constructor."""

    def __init__(self, *, volume: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume


Mine(task_id="mine", name="x", who={"email": "a@example.com"}, html="{{ first_name }}")
Mine(task_id="mine", name="x", html=3)  # type: ignore[arg-type]
Mine(task_id="mine")  # type: ignore[call-arg]
MineLoud(task_id="loud", volume=11, name="VIP")
MineLoud(task_id="loud", volume="11")  # type: ignore[arg-type]
