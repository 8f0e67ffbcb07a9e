# SPDX-License-Identifier: Apache-2.0
"""What is not seen in a list may be there, what is seen may be another's, and what is gone need not have been deleted by us."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import coupons, lists, templates
from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError, KlaviyoInDoubt, KlaviyoUnanswered
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.campaigns import KlaviyoCreateCampaignOperator
from airflow_provider_klaviyo.operators.coupons import KlaviyoBulkCreateCouponCodesOperator, KlaviyoCreateCouponOperator
from airflow_provider_klaviyo.operators.images import KlaviyoUploadImageOperator
from airflow_provider_klaviyo.operators.journal import KEY
from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator, KlaviyoDeleteListOperator
from airflow_provider_klaviyo.operators.segments import KlaviyoCreateSegmentOperator
from airflow_provider_klaviyo.operators.tags import KlaviyoCreateTagOperator
from airflow_provider_klaviyo.operators.templates import KlaviyoCloneTemplateOperator, KlaviyoCreateTemplateOperator
from airflow_provider_klaviyo.operators.webhooks import KlaviyoCreateWebhookOperator
from airflow_provider_klaviyo.sandbox.klaviyo import resources
from airflow_provider_klaviyo.sandbox.klaviyo.tags import GROUP
from tests.operators.kit import Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

URL = "https://hooks.example.com/klaviyo"


def make_list(name: str = "VIP") -> str:
    """Make a list and return its id."""
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(lists.create(name=name))["data"]["id"])


def make_template() -> str:
    """Make a template and return its id."""
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(templates.create(name="Original", html="<p>Hello</p>"))["data"]["id"])


def members_of(list_id: str) -> dict[str, Any]:
    """Return the definition of a segment of a list's members."""
    return {"condition_groups": [{"conditions": [{"type": "profile-group-membership", "is_member": True, "group_ids": [list_id]}]}]}


@pytest.fixture
def lag(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Klaviyo's lists lag, by less than tasks give them."""
    monkeypatch.setenv("AIRFLOW__KLAVIYO__SETTLE_SECONDS", "1.5")
    sandbox.klaviyo.behaviour.list_lag = 1


# ── lists that lag ──────────────────────────


@pytest.mark.usefixtures("lag")
@pytest.mark.parametrize(
    ("path", "operator", "fields"),
    [
        ("/api/lists", KlaviyoCreateListOperator, dict),
        ("/api/segments", KlaviyoCreateSegmentOperator, lambda: {"definition": members_of(make_list())}),
        ("/api/templates", KlaviyoCreateTemplateOperator, lambda: {"html": "<p>Hello</p>"}),
        ("/api/template-clone", KlaviyoCloneTemplateOperator, lambda: {"template_id": make_template()}),
        ("/api/webhooks", KlaviyoCreateWebhookOperator, lambda: {"endpoint_url": URL, "topics": ["event:klaviyo.opened_email"]}),
        ("/api/campaigns", KlaviyoCreateCampaignOperator, dict),
        ("/api/images", KlaviyoUploadImageOperator, lambda: {"url": "https://example.com/logo.png"}),
        ("/api/tags", KlaviyoCreateTagOperator, dict),
    ],
)
def test_what_lists_show_too_late_is_made_once(
    sandbox: SandboxServer, path: str, operator: type[Any], fields: Callable[[], dict[str, Any]]
) -> None:
    store, made = Store(), operator(task_id="made", name="VIP", **fields())
    sandbox.klaviyo.requests.clear()
    sandbox.fail(method="POST", path=path, drop="after")
    with pytest.raises(KlaviyoUnanswered):
        made.execute(context(store))
    assert made.execute(context(store))["id"]
    assert sandbox.klaviyo.requests[f"POST {path}"] == 1


@pytest.mark.usefixtures("lag")
def test_a_job_that_the_list_of_jobs_shows_too_late_is_started_once(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.job_seconds = 0
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(coupons.create(external_id="SPRING"))
    store = Store()
    operator = KlaviyoBulkCreateCouponCodesOperator(
        task_id="codes", coupon_id="SPRING", codes=[{"unique_code": "Sesame"}], poll_interval=0.02, deferrable=False
    )
    sandbox.fail(method="POST", path="/api/coupon-code-bulk-create-jobs", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        operator.execute(context(store))
    assert operator.execute(context(store))["completed"] == 1
    assert sandbox.klaviyo.requests["POST /api/coupon-code-bulk-create-jobs"] == 1


@pytest.mark.usefixtures("lag")
def test_what_is_still_not_there_after_the_time_is_made(sandbox: SandboxServer) -> None:
    store, vip = Store(), KlaviyoCreateListOperator(task_id="vip", name="VIP")
    sandbox.fail(method="POST", path="/api/lists", drop="before")
    with pytest.raises(KlaviyoUnanswered):
        vip.execute(context(store))
    assert vip.execute(context(store))["attributes"]["name"] == "VIP"
    assert sandbox.klaviyo.counts()["lists"] == 1


def test_the_time_begins_when_no_answer_came_not_when_the_request_was_meant(sandbox: SandboxServer) -> None:
    """It may have waited for its turn for minutes before it left."""

    class Recorded(Store):
        meant: tuple[str, ...] = ()

        def set(self, key: str, value: Any, **kept: Any) -> None:
            super().set(key, value, **kept)
            self.meant = (*self.meant, value["record"].get("sent_at"))

    store = Recorded()
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        KlaviyoCreateListOperator(task_id="vip", name="VIP").execute(context(store))
    meant, unanswered = filter(None, store.meant)
    assert meant < unanswered == store[KEY]["record"]["sent_at"]


def test_a_lagging_list_of_the_sandbox_lacks_what_its_id_finds(sandbox: SandboxServer) -> None:
    sandbox.klaviyo.behaviour.list_lag = 60
    list_id, template_id = make_list(), make_template()
    with KlaviyoHook().session() as klaviyo:
        assert [*klaviyo.walk(lists.list_()), *klaviyo.walk(templates.list_())] == []
        assert klaviyo.send(lists.get(list_id=list_id))["data"]["id"] == list_id
        assert klaviyo.send(templates.get(template_id=template_id))["data"]["id"] == template_id
        sandbox.klaviyo.behaviour.list_lag = 0
        found = [*klaviyo.walk(lists.list_()), *klaviyo.walk(templates.list_())]
    assert [each["id"] for each in found] == [list_id, template_id]


# ── what is there already ──────────────────────────


def test_wrong_arguments_are_refused_although_one_of_the_name_is_there(sandbox: SandboxServer, run: Run) -> None:
    run(KlaviyoCreateTemplateOperator, name="VIP", html="<p>Hello</p>")
    refused = run(KlaviyoCreateTemplateOperator, name="VIP", if_exists="use", retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)


def test_a_doubt_is_not_forgotten_because_another_is_there(sandbox: SandboxServer) -> None:
    store = Store()
    make_list("B")
    sandbox.fail(method="POST", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        KlaviyoCreateListOperator(task_id="list", name="A", if_exists="use").execute(context(store))
    changed = KlaviyoCreateListOperator(task_id="list", name="B", if_exists="use")
    with pytest.raises(KlaviyoInDoubt, match="with other arguments"):
        changed.execute(context(store, max_tries=5))
    assert changed.execute(context(store, max_tries=8))["attributes"]["name"] == "B"


def test_a_doubt_about_a_coupon_is_not_forgotten_either(sandbox: SandboxServer) -> None:
    store = Store()
    with KlaviyoHook().session() as klaviyo:
        klaviyo.send(coupons.create(external_id="B"))
    sandbox.fail(method="POST", path="/api/coupons", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        KlaviyoCreateCouponOperator(task_id="coupon", external_id="A", if_exists="use").execute(context(store))
    with pytest.raises(KlaviyoInDoubt, match="with other arguments"):
        KlaviyoCreateCouponOperator(task_id="coupon", external_id="B", if_exists="use").execute(context(store, max_tries=5))


def test_a_bad_address_of_a_webhook_is_refused_as_one(sandbox: SandboxServer) -> None:
    opens = {"name": "Opens", "topics": ["event:klaviyo.opened_email"], "if_exists": "use"}
    made: Any = KlaviyoCreateWebhookOperator
    made(task_id="hook", endpoint_url=URL, **opens).execute(context(Store()))
    with pytest.raises(KlaviyoConfigError, match="endpoint_url"):
        made(task_id="hook", endpoint_url="https://[bad", **opens).execute(context(Store()))


def test_a_tag_of_another_group_is_not_the_one_meant(sandbox: SandboxServer, run: Run) -> None:
    other = resources.make(sandbox.klaviyo, GROUP, {"name": "Other", "exclusive": False, "default": False}).id
    foreign = run(KlaviyoCreateTagOperator, name="VIP", tag_group_id=other).returned["id"]
    own = run(KlaviyoCreateTagOperator, name="VIP", if_exists="use").returned["id"]
    assert own != foreign
    assert run(KlaviyoCreateTagOperator, name="VIP", if_exists="use").returned["id"] == own, "both groups have one now"
    assert run(KlaviyoCreateTagOperator, name="VIP", tag_group_id=other, if_exists="use").returned["id"] == foreign
    assert sandbox.klaviyo.requests["POST /api/tags"] == 2


# ── what is to be deleted ──────────────────────────


def delete(store: Store, max_tries: int = 2, list_id: str = "NOSUCH", klaviyo_conn_id: str = "klaviyo_default") -> None:
    """Delete a list that must exist."""
    operator = KlaviyoDeleteListOperator(task_id="gone", list_id=list_id, klaviyo_conn_id=klaviyo_conn_id, must_exist=True)
    operator.execute(context(store, max_tries))


@pytest.fixture
def once(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a request sent once in a try."""
    connection = '{"conn_type": "klaviyo", "host": "%s", "password": "pk_sandbox", "extra": {"max_attempts": 1}}' % sandbox.url  # noqa: UP031
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", connection)
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection)


@pytest.mark.parametrize("status", [401, 403, 409])
def test_a_refusal_deletes_nothing_so_what_must_exist_still_must(sandbox: SandboxServer, status: int) -> None:
    store = Store()
    sandbox.fail(method="DELETE", path="/api/lists", status=status)
    for expected in (status, 404):
        with pytest.raises(KlaviyoApiError) as refused:
            delete(store, max_tries=3)
        assert refused.value.status == expected


def test_what_was_not_sent_deletes_nothing(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    store, connection = Store(), sandbox.connections["AIRFLOW_CONN_KLAVIYO_DEFAULT"]
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", '{"conn_type": "klaviyo"}')
    with pytest.raises(KlaviyoConfigError):
        delete(store)
    monkeypatch.setenv("AIRFLOW_CONN_KLAVIYO_DEFAULT", connection)
    with pytest.raises(KlaviyoApiError, match="404"):
        delete(store)


@pytest.mark.usefixtures("once")
def test_what_one_connection_may_have_deleted_must_exist_for_another(sandbox: SandboxServer) -> None:
    store, list_id = Store(), make_list()
    sandbox.fail(method="DELETE", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        delete(store, list_id=list_id)
    with pytest.raises(KlaviyoApiError, match="404"):
        delete(store, max_tries=5, list_id=list_id, klaviyo_conn_id="other")


@pytest.mark.usefixtures("once")
def test_what_an_unanswered_try_may_have_deleted_need_not_exist_any_more(sandbox: SandboxServer) -> None:
    store, list_id = Store(), make_list()
    sandbox.fail(method="DELETE", path="/api/lists", drop="after")
    with pytest.raises(KlaviyoUnanswered):
        delete(store, list_id=list_id)
    sandbox.fail(method="DELETE", path="/api/lists", status=403)
    with pytest.raises(KlaviyoApiError, match="403"):
        delete(store, list_id=list_id)
    delete(store, list_id=list_id)
    assert sandbox.klaviyo.counts()["lists"] == 0
