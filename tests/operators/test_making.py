# SPDX-License-Identifier: Apache-2.0
"""A worker may be killed at any step of the journal: what an operator makes is made once all the same, whichever operator it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_klaviyo.api import campaigns, events, lists, templates
from airflow_provider_klaviyo.api.errors import KlaviyoInDoubt
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.campaigns import KlaviyoCloneCampaignOperator, KlaviyoCreateCampaignOperator
from airflow_provider_klaviyo.operators.events import KlaviyoBulkCreateEventsOperator, KlaviyoCreateEventOperator
from airflow_provider_klaviyo.operators.images import KlaviyoUploadImageOperator
from airflow_provider_klaviyo.operators.lists import KlaviyoCreateListOperator
from airflow_provider_klaviyo.operators.making import CreatingOperator
from airflow_provider_klaviyo.operators.segments import KlaviyoCreateSegmentOperator
from airflow_provider_klaviyo.operators.tags import KlaviyoCreateTagOperator
from airflow_provider_klaviyo.operators.templates import KlaviyoCloneTemplateOperator, KlaviyoCreateTemplateOperator
from airflow_provider_klaviyo.operators.webhooks import KlaviyoCreateWebhookOperator
from tests.operators.kit import Killed, Store, context
from tests.test_structure import public

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
OPENED = "event:klaviyo.opened_email"
SEEN = {"type": "profile-property", "property": "properties['plan']", "filter": {"type": "existence", "operator": "is-set"}}
ORDER: dict[str, Any] = {"metric": "Placed Order", "profile": {"email": "sarah@example.com"}, "time": "2026-11-01T10:00:00+00:00"}


def sent(request: Any) -> str:
    """Carry a request out and return the id of what it made."""
    with KlaviyoHook().session() as klaviyo:
        return str(klaviyo.send(request)["data"]["id"])


def a_campaign() -> str:
    return sent(campaigns.create(name="Sale", included=[sent(lists.create(name="VIP"))], message={"channel": "email", "subject": "Sale"}))


ARGUMENTS: dict[type[CreatingOperator], Callable[[], dict[str, Any]]] = {
    KlaviyoCloneCampaignOperator: lambda: {"campaign_id": a_campaign()},
    KlaviyoCloneTemplateOperator: lambda: {"template_id": sent(templates.create(name="Welcome", html="<p></p>"))},
    KlaviyoCreateCampaignOperator: lambda: {
        "included": [sent(lists.create(name="VIP"))],
        "message": {"channel": "email", "subject": "Sale"},
    },
    KlaviyoCreateListOperator: dict,
    KlaviyoCreateSegmentOperator: lambda: {"definition": {"condition_groups": [{"conditions": [SEEN]}]}},
    KlaviyoCreateTagOperator: dict,
    KlaviyoCreateTemplateOperator: lambda: {"html": "<p></p>"},
    KlaviyoCreateWebhookOperator: lambda: {
        "endpoint_url": "https://hooks.example.com/klaviyo",
        "secret_key": "a_secret_of_16_chars",
        "topics": [OPENED],
    },
    KlaviyoUploadImageOperator: lambda: {"url": DOT},
}


def subclasses(of: type[Any]) -> Iterator[type[Any]]:
    """Yield what is built upon a class, at any depth."""
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def posts(sandbox: SandboxServer) -> int:
    """Return how many requests came that make something."""
    return sum(times for name, times in sandbox.klaviyo.requests.items() if name.startswith("POST "))


def test_every_operator_that_makes_something_is_here() -> None:
    assert set(ARGUMENTS) == set(public()) & set(subclasses(CreatingOperator))


@pytest.mark.parametrize("writes", [0, 1, 2, 3], ids=["at once", "before it is sent", "after it was made", "at the end"])
@pytest.mark.parametrize("operator", ARGUMENTS, ids=lambda found: found.__name__)
def test_what_a_killed_worker_may_have_made_is_made_once(sandbox: SandboxServer, operator: type[CreatingOperator], writes: int) -> None:
    arguments, store = ARGUMENTS[operator](), Store()
    sandbox.klaviyo.requests.clear()
    making = operator(task_id="make", name="Made", **arguments)
    store.writes_left = writes
    with pytest.raises(Killed):
        making.execute(context(store))
    assert posts(sandbox) == (writes > 1)
    store.writes_left = None
    made = making.execute(context(store))
    assert posts(sandbox) == 1
    with KlaviyoHook().session() as klaviyo:
        assert [each["id"] for each in making.namesakes(klaviyo)] == [made["id"]]


# of a name, a group has one tag
@pytest.mark.parametrize("operator", [each for each in ARGUMENTS if each is not KlaviyoCreateTagOperator], ids=lambda found: found.__name__)
def test_what_was_there_before_is_not_taken_for_it(sandbox: SandboxServer, operator: type[CreatingOperator]) -> None:
    arguments, store = ARGUMENTS[operator](), Store()
    making = operator(task_id="make", name="Made", **arguments)
    before = making.execute({})
    sandbox.klaviyo.requests.clear()
    store.writes_left = 2
    with pytest.raises(Killed):
        making.execute(context(store))
    store.writes_left = None
    assert making.execute(context(store))["id"] != before["id"]
    assert posts(sandbox) == 1


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "recording",
    [
        KlaviyoCreateEventOperator(task_id="one", **ORDER, unique_id="1"),
        KlaviyoBulkCreateEventsOperator(task_id="many", events=[{**ORDER, "unique_id": "1"}]),
    ],
    ids=lambda found: type(found).__name__,
)
def test_an_event_with_a_unique_id_is_recorded_once(sandbox: SandboxServer, recording: Any, writes: int) -> None:
    store = Store()
    store.writes_left = writes
    with suppress(Killed):  # one alone needs no journal: Klaviyo knows it again
        recording.execute(context(store))
    store.writes_left = None
    recording.execute(context(store))
    assert recorded() == 1


@pytest.mark.parametrize(
    "recording",
    [KlaviyoCreateEventOperator(task_id="one", **ORDER), KlaviyoBulkCreateEventsOperator(task_id="many", events=[ORDER])],
    ids=lambda found: type(found).__name__,
)
def test_an_event_without_one_is_not_sent_again(sandbox: SandboxServer, recording: Any) -> None:
    store = Store()
    store.writes_left = 2
    with pytest.raises(Killed):
        recording.execute(context(store))
    store.writes_left = None
    with pytest.raises(KlaviyoInDoubt):
        recording.execute(context(store))
    assert posts(sandbox) == 1
    assert recorded() == 1


def recorded() -> int:
    """Return how many events there are."""
    with KlaviyoHook().session() as klaviyo:
        return len(list(klaviyo.walk(events.list_())))
