# SPDX-License-Identifier: Apache-2.0
"""Operators that make and change campaigns, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_klaviyo.api import campaigns, lists, templates
from airflow_provider_klaviyo.api.errors import KlaviyoInDoubt
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.campaigns import (
    KlaviyoAssignTemplateToCampaignMessageOperator,
    KlaviyoCloneCampaignOperator,
    KlaviyoCreateCampaignOperator,
    KlaviyoDeleteCampaignOperator,
    KlaviyoGetCampaignOperator,
    KlaviyoListCampaignsOperator,
    KlaviyoUpdateCampaignOperator,
)
from tests.operators.kit import Killed, Store, context

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

    Run = Callable[..., Any]

CREATE, CLONE = "POST /api/campaigns", "POST /api/campaign-clone"
ASSIGN = "POST /api/campaign-message-assign-template"
EMAIL = {
    "channel": "email",
    "subject": "{{ first_name|default:'You' }} \u00e9 {% if x %}",
    "preview_text": "{{ ds }}",
    "from_email": "a@example.com",
}


def make(*names: str) -> list[str]:
    """Make campaigns and return their ids."""
    with KlaviyoHook().session() as klaviyo:
        return [klaviyo.send(campaigns.create(name=name))["data"]["id"] for name in names]


def make_list(name: str) -> str:
    """Make a list and return its id."""
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(lists.create(name=name))["data"]["id"])


def sent(sandbox: SandboxServer, name: str) -> list[Any]:
    """Return the attributes of all bodies of a request."""
    return [each.body["data"]["attributes"] for each in sandbox.klaviyo.received if each.name == name]


def test_the_content_of_a_message_reaches_klaviyo_byte_for_byte(sandbox: SandboxServer, run: Run) -> None:
    vip = make_list("VIP")
    made = run(KlaviyoCreateCampaignOperator, name="Sale {{ 1 + 1 }}", included="{{ ['" + vip + "'] }}", message=EMAIL)
    (attributes,) = sent(sandbox, CREATE)
    assert attributes["definition"] == {"name": "Sale 2"}
    assert attributes["audiences"][0]["included"] == [vip]
    assert attributes["messages"][0]["variations"][0]["definition"]["details"] == EMAIL
    assert made.returned["attributes"]["definition"]["name"] == "Sale 2"
    assert len(made.returned["relationships"]["campaign-messages"]["data"]) == 1


def test_several_messages_are_taken_as_klaviyo_takes_them(sandbox: SandboxServer, run: Run) -> None:
    vip = make_list("VIP")
    messages = [
        {"audience_temporary_id": "{{ 1 }}", "variations": [{"definition": {"details": {"channel": "sms", "body": "{{ first_name }}"}}}]},
        {"audience_temporary_id": "{{ 1 }}"},
    ]
    audiences = [{"temporary_id": "{{ '{{ 1 }}' }}", "included": [vip]}]
    made = run(KlaviyoCreateCampaignOperator, name="Sale", audiences=audiences, messages=messages)
    (attributes,) = sent(sandbox, CREATE)
    assert attributes["messages"] == messages
    assert len(made.returned["relationships"]["campaign-messages"]["data"]) == 2


def test_the_content_may_come_from_an_upstream_task(sandbox: SandboxServer, run_dag: Callable[..., Any]) -> None:
    vip = make_list("VIP")
    with DAG("upstream", schedule=None) as dag:

        @task
        def written() -> dict[str, Any]:
            return EMAIL

        KlaviyoCreateCampaignOperator(task_id="one", name="One", included=[vip], message=written())  # type: ignore[arg-type] # its output
    assert run_dag(dag).state == "success"
    assert sent(sandbox, CREATE)[0]["messages"][0]["variations"][0]["definition"]["details"] == EMAIL


def test_if_exists_use_returns_the_campaign_of_exactly_that_name(sandbox: SandboxServer, run: Run) -> None:
    first, *_ = make("Sale", "sale", "Sale, again")
    assert run(KlaviyoCreateCampaignOperator, name="Sale", if_exists="use").returned["id"] == first
    assert sandbox.klaviyo.requests[CREATE] == 3


def test_what_klaviyo_refuses_fails_at_once(sandbox: SandboxServer, run: Run) -> None:
    for wrong in ({"included": ["NoList"]}, {"message": EMAIL}, {"included": [make_list("VIP")], "message": {**EMAIL, "html": "x"}}):
        refused = run(KlaviyoCreateCampaignOperator, name="Sale", retries=2, **wrong)
        assert (refused.state, refused.tries) == ("failed", 1)
    assert run(KlaviyoListCampaignsOperator).returned == []


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("path", ["/api/campaigns", "/api/campaign-clone"])
def test_a_campaign_whose_making_was_not_answered_is_made_once(sandbox: SandboxServer, run: Run, path: str, drop: Any) -> None:
    (first,) = make("Sale")
    sandbox.fail(method="POST", path=path, drop=drop)
    if path == "/api/campaigns":
        made = run(KlaviyoCreateCampaignOperator, name="Sale", retries=1)
    else:
        made = run(KlaviyoCloneCampaignOperator, campaign_id=first, name="Sale", retries=1)
    assert (made.state, made.tries) == ("success", 2)
    assert {each["id"] for each in run(KlaviyoListCampaignsOperator).returned} == {first, made.returned["id"]}


@pytest.mark.parametrize("writes", [2, 3])
@pytest.mark.parametrize("name", [CREATE, CLONE])
def test_a_worker_that_died_does_not_make_another(sandbox: SandboxServer, name: str, writes: int) -> None:
    """Before it could note the result, or just after."""
    (first,) = make("Sale")
    before = sandbox.klaviyo.requests[name]
    store = Store()
    operator: Any = (
        KlaviyoCreateCampaignOperator(task_id="it", name="Sale")
        if name == CREATE
        else KlaviyoCloneCampaignOperator(task_id="it", campaign_id=first, name="Sale")
    )
    store.writes_left = writes
    with pytest.raises(Killed):
        operator.execute(context(store))
    store.writes_left = None
    made = operator.execute(context(store))
    assert made["id"] != first
    assert sandbox.klaviyo.requests[name] == before + 1


def test_where_others_made_campaigns_of_that_name_meanwhile_it_is_in_doubt(sandbox: SandboxServer) -> None:
    store = Store()
    store.writes_left = 2
    operator = KlaviyoCreateCampaignOperator(task_id="it", name="Sale")
    with pytest.raises(Killed):
        operator.execute(context(store))
    make("Sale")
    store.writes_left = None
    with pytest.raises(KlaviyoInDoubt, match="2 campaigns of that name"):
        operator.execute(context(store))


def test_a_campaign_is_read_changed_copied_and_deleted(sandbox: SandboxServer, run: Run) -> None:
    (first,) = make("Sale")
    changed = run(KlaviyoUpdateCampaignOperator, campaign_id=first, description="Soon over", archived="{{ 'False' }}")
    definition = changed.returned["attributes"]["definition"]
    assert (definition["name"], definition["description"], definition["archived"]) == ("Sale", "Soon over", False)
    read = run(KlaviyoGetCampaignOperator, campaign_id=first, fields={"campaign": "definition.name"}, include="campaign-messages")
    assert read.returned["attributes"] == {"definition": {"name": "Sale"}}
    assert read.returned["included"] == []
    copy = run(KlaviyoCloneCampaignOperator, campaign_id=first, name="Sale again").returned
    assert copy["attributes"]["definition"] == {**definition, "name": "Sale again"}
    assert run(KlaviyoDeleteCampaignOperator, campaign_id=first).state == "success"
    assert [each["id"] for each in run(KlaviyoListCampaignsOperator).returned] == [copy["id"]]


def test_what_is_not_there_need_not_be_deleted_unless_it_must_exist(sandbox: SandboxServer, run: Run) -> None:
    assert run(KlaviyoDeleteCampaignOperator, campaign_id="NoSuch").state == "success"
    missing = run(KlaviyoDeleteCampaignOperator, campaign_id="NoSuch", must_exist=True, retries=2)
    assert (missing.state, missing.tries) == ("failed", 1)


def test_campaigns_are_read_across_pages_as_filtered(sandbox: SandboxServer, run: Run) -> None:
    make("Other", *(f"Sale {number}" for number in range(3)))
    read = run(KlaviyoListCampaignsOperator, filter='contains(name,"Sale")', sort="-name")
    assert [each["attributes"]["definition"]["name"] for each in read.returned] == ["Sale 2", "Sale 1", "Sale 0"]
    refused = run(KlaviyoListCampaignsOperator, filter='equals(messages.channel,"email")', retries=2)
    assert (refused.state, refused.tries) == ("failed", 1)


# ── templates ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def message(sandbox: SandboxServer) -> dict[str, str]:
    """Make a campaign with one message, and a template."""
    with KlaviyoHook().session() as klaviyo:
        made = klaviyo.send(campaigns.create(name="Sale", included=[make_list("VIP")], message=EMAIL))["data"]
        template = klaviyo.send(templates.create(name="Hi", html="<p>Hi</p>"))["data"]
    return {
        "campaign_id": made["id"],
        "message_id": made["relationships"]["campaign-messages"]["data"][0]["id"],
        "template_id": template["id"],
    }


@pytest.mark.parametrize("by", ["message_id", "campaign_id"])
def test_a_message_is_given_a_template(sandbox: SandboxServer, run: Run, message: dict[str, str], by: str) -> None:
    given = run(KlaviyoAssignTemplateToCampaignMessageOperator, template_id=message["template_id"], **{by: message[by]})
    assert given.returned["id"] == message["message_id"]
    assert given.returned["relationships"]["template"]["data"]["id"] != message["template_id"], "Klaviyo makes a copy"
    (body,) = [each.body["data"] for each in sandbox.klaviyo.received if each.name == ASSIGN]
    assert (body["id"], body["relationships"]["template"]["data"]["id"]) == (message["message_id"], message["template_id"])


def test_which_message_is_meant_must_be_clear(sandbox: SandboxServer, run: Run, message: dict[str, str]) -> None:
    for wrong in ({}, {"message_id": "M1", "campaign_id": "C1"}, {"campaign_id": make("Empty")[0]}):
        refused = run(KlaviyoAssignTemplateToCampaignMessageOperator, template_id=message["template_id"], retries=2, **wrong)
        assert (refused.state, refused.tries) == ("failed", 1)
    assert ASSIGN not in sandbox.klaviyo.requests
