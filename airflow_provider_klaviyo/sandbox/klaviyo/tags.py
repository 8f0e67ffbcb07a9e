# SPDX-License-Identifier: Apache-2.0
"""``/api/tags``: labels on lists, segments, campaigns and flows. Which resource has which is kept with the tag, and read from there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_klaviyo.sandbox.klaviyo import bodies, documents, resources
from airflow_provider_klaviyo.sandbox.klaviyo.bodies import Strict
from airflow_provider_klaviyo.sandbox.klaviyo.calls import Answer, Call, answers
from airflow_provider_klaviyo.sandbox.klaviyo.problems import Problem, Refused, not_found
from airflow_provider_klaviyo.sandbox.klaviyo.resources import Kind, Relation, Resource
from airflow_provider_klaviyo.sandbox.klaviyo.state import KlaviyoState

Json = dict[str, Any]
GROUP = Kind("tag-group", "tag-groups", "Tag Group", relations={"tags": Relation("tag")}, times=("", ""))
TAG = Kind(
    "tag",
    "tags",
    "Tag",
    relations={
        "tag-group": Relation("tag-group", many=False),
        "lists": Relation("list"),
        "segments": Relation("segment"),
        "campaigns": Relation("campaign"),
        "flows": Relation("flow"),
    },
    times=("", ""),
)
TAGGED = ("lists", "segments", "campaigns", "flows")
MOST = 500


class Named(Strict):
    """Attributes of a tag."""

    name: Annotated[str, Field(min_length=1)]


class Grouped(Strict):
    """Relationships of a new tag."""

    group: Annotated[bodies.one_of("tag-group") | None, Field(alias="tag-group")] = None  # type: ignore[valid-type]


CREATE = bodies.document("tag", Named, relationships=Grouped)
UPDATE = bodies.document("tag", Named, identified=True)
NAMED = {name: bodies.some_of(name.removesuffix("s")) for name in TAGGED}


@answers("get_tags")
def get_tags(call: Call) -> Answer:
    """List tags."""
    found, following = resources.page(call, TAG)
    return Answer(200, call.page([_show(call, each) for each in found], following, _groups(call, found)))


@answers("get_tag")
def get_tag(call: Call) -> Answer:
    """Read one tag."""
    found = _load(call)
    return Answer(200, call.document(_show(call, found), _groups(call, [found])))


@answers("create_tag")
def create_tag(call: Call) -> Answer:
    """Make a tag, in the account's default group unless another is named."""
    data = bodies.parse(call, CREATE)
    relationships = getattr(data, "relationships", None)
    group = _default(call) if relationships is None or relationships.group is None else _group(call, relationships.group.data.id)
    everything = resources.every(call.state, TAG)
    if any(each.attributes["name"] == data.attributes.name and each.related["tag-group"] == [group.id] for each in everything):
        raise _refused(400, f"Tag with name {data.attributes.name} already exists in tag group")
    if len(everything) >= MOST:
        raise _refused(400, f"An account can have at most {MOST} tags")
    made = resources.make(
        call.state,
        TAG,
        {"name": data.attributes.name},
        identity=str(uuid.uuid4()),
        related={"tag-group": [group.id]} | {name: [] for name in TAGGED},
    )
    return Answer(201, call.document(_show(call, made)))


@answers("update_tag")
def update_tag(call: Call) -> Answer:
    """Rename a tag; recorded with an empty answer."""
    resources.change(call.state, _load(call), bodies.parse(call, UPDATE).attributes.given())
    return Answer(204)


@answers("delete_tag")
def delete_tag(call: Call) -> Answer:
    """Delete a tag; what had it stays."""
    resources.remove(call.state, _load(call))
    return Answer(204)


def _add(call: Call) -> Answer:
    found, name, ids = _named(call)
    resources.change(call.state, found, related={name: list(dict.fromkeys([*found.related[name], *ids]))})
    return Answer(204)


def _remove(call: Call) -> Answer:
    found, name, ids = _named(call)
    resources.change(call.state, found, related={name: [each for each in found.related[name] if each not in ids]})
    return Answer(204)


def _ids(call: Call) -> Answer:
    name, found = call.path.rpartition("/")[2], _load(call)
    kept = [each for each in found.related[name] if _exists(call.state, name, each)]
    return Answer(200, call.document([documents.identity(TAG.relations[name].type, each) for each in kept]))


for _name in TAGGED:
    answers(f"tag_{_name}")(_add)
    answers(f"remove_tag_from_{_name}")(_remove)
    answers(f"get_{_name.removesuffix('s')}_ids_for_tag")(_ids)


def tags_of(state: KlaviyoState, name: str, identity: str) -> list[Resource]:
    """
    Return the tags of a resource.

    :param state: The account.
    :param name: What it is, one of :data:`TAGGED`.
    :param identity: Its id.
    """
    return [each for each in resources.every(state, TAG) if identity in each.related[name]]


def included(call: Call, name: str, ids: Iterable[str]) -> list[Json] | None:
    """
    Return the tags that a call includes with what it reads, each once, or ``None`` where it includes nothing.

    :param call: The request.
    :param name: What is read, one of :data:`TAGGED`.
    :param ids: Its ids.
    """
    if not call.query.include:
        return None
    found = {tag.id: tag for each in ids for tag in tags_of(call.state, name, each)} if "tags" in call.query.include else {}
    return [_show(call, each) for each in found.values()]


def _exists(state: KlaviyoState, name: str, identity: str) -> bool:
    """Say whether there is something to tag: tags outlive it."""
    if name == "lists":
        found = state.db.execute("SELECT 1 FROM lists WHERE id = ?", (identity,))
    else:
        found = state.db.execute("SELECT 1 FROM resources WHERE kind = ? AND id = ?", (TAG.relations[name].type, identity))
    return found.fetchone() is not None


def _named(call: Call) -> tuple[Resource, str, list[str]]:
    """Return the tag, what is tagged, and the ids of what there is of it."""
    found, name = _load(call), call.path.rpartition("/")[2]
    ids = [each.id for each in bodies.parse(call, NAMED[name])]
    for each in ids:
        if not _exists(call.state, name, each):
            raise not_found(f"A {TAG.relations[name].type} with id `{each}` does not exist.")
    return found, name, ids


def _show(call: Call, tag: Resource) -> Json:
    return resources.show(call, tag, data=("tag-group",))


def _groups(call: Call, found: list[Resource]) -> list[Json] | None:
    if not call.query.include:
        return None
    ids = dict.fromkeys(each.related["tag-group"][0] for each in found)
    return [resources.show(call, _group(call, each)) for each in ids]


def _load(call: Call) -> Resource:
    found = resources.find(call.state, TAG, call.ids[0])
    if found is None:
        raise _refused(404, f"Tag with id {call.ids[0]} not found")
    return found


def _group(call: Call, identity: str) -> Resource:
    found = resources.find(call.state, GROUP, identity)
    if found is None:
        raise _refused(404, f"Tag Group with id {identity} not found")
    return found


def _default(call: Call) -> Resource:
    """Return the group that every account has."""
    for each in resources.every(call.state, GROUP):
        if each.attributes["default"]:
            return each
    attributes = {"name": "Ungrouped Tags", "exclusive": False, "default": True}
    return resources.make(call.state, GROUP, attributes, identity=str(uuid.uuid4()))


def _refused(status: int, detail: str) -> Refused:
    return Refused(status, "tag_service_error", Problem(detail, "/data/"))
