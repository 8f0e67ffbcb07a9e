# SPDX-License-Identifier: Apache-2.0
"""
What a DAG may do with any operator or sensor it may do with every one of ours, as its example shows it.

The fields of each are those of its example, so that nothing here has to name an operator.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import pytest
from airflow.sdk import DAG, BaseOperator, XComArg, task
from airflow.serialization.helpers import serialize_template_field
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_klaviyo.api.errors import KlaviyoApiError, KlaviyoConfigError
from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
from airflow_provider_klaviyo.operators.base import KlaviyoOperator
from airflow_provider_klaviyo.operators.coercion import coerce
from airflow_provider_klaviyo.operators.fields import DeclaredOperator, Field, Mark
from docs._ext import catalogue
from tests.operators.test_examples import EXAMPLES, linking, load, operations
from tests.test_structure import public

if TYPE_CHECKING:
    from airflow_provider_klaviyo.sandbox.server import SandboxServer

LITERAL = "{{ first_name|default:'you' }} {% unsubscribe %} {# é #}\n"
PERSON = ({"email": "sarah@example.com"}, [{"email": "sarah@example.com"}], ["sarah@example.com"], "sarah@example.com")
ABOUT_PEOPLE = {
    *("profile", "profiles", "emails", "events", "properties", "append", "unappend"),
    *("codes", "variables", "body", "form", "headers", "url", "endpoint_url", "secret_key"),
}
FORMS = {bool: ("{{ 'False' }}", False), int: ("{{ 40 + 2 }}", 42), float: ("{{ 0.5 }}", 0.5)}


@cache
def examples() -> dict[type[Any], Any]:
    """Return for each operator the task of an example that shows it."""
    return {
        type(found): found for path in sorted(EXAMPLES.glob("*.py")) for found in load(path.stem).tasks if isinstance(found, BaseOperator)
    }


def fields(operator: type[Any]) -> dict[str, Any]:
    """Return the fields that an example gives an operator, as they stand in the file."""
    shown = examples()[operator]
    return {name: getattr(shown, name) for name, field in operator._declared.items() if getattr(shown, name) != field.default}


def declared(operator: type[Any]) -> Iterator[Field]:
    """Yield an operator's fields that Airflow renders."""
    yield from (field for field in operator._declared.values() if field.templated)


def dag(**arguments: Any) -> DAG:
    """Make an empty DAG."""
    return DAG("structure", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), **arguments)


each = pytest.mark.parametrize("operator", public(), ids=lambda found: found.__name__)


@each
def test_it_is_declared_and_every_field_but_a_callable_is_templated(operator: type[Any]) -> None:
    assert issubclass(operator, DeclaredOperator)
    assert set(operator.template_fields) >= {field.name for field in declared(operator)}
    plain = {Mark.AIRFLOW, Mark.PLAIN}
    assert all(field.marks & plain or "Callable" in str(field.hint) for field in operator._declared.values() if not field.templated)


@each
def test_default_args_reach_it(operator: type[Any]) -> None:
    given = fields(operator)
    with dag(default_args={**given, "retries": 7, "klaviyo_conn_id": "other", "unheard_of": 1}):
        made = operator(task_id="made")
    assert {name: getattr(made, name) for name in given} == given
    assert made.retries == 7
    assert getattr(made, "klaviyo_conn_id", "other") == "other"


@each
def test_it_links_what_it_reads_its_own_work_back_with(sandbox: SandboxServer, operator: type[Any]) -> None:
    if not linking(operator) or getattr(operator, "reread", None) in {None, KlaviyoOperator.reread}:
        return
    with dag(), KlaviyoHook().session() as klaviyo, pytest.raises(KlaviyoApiError):
        operator(task_id="made", **fields(operator)).reread(klaviyo, {"type": "any", "id": "01J"})
    (called,) = operations(sandbox.klaviyo.requests)
    assert called in {each.id for each in catalogue.named(operator)}


@each
def test_an_argument_it_does_not_have_is_refused(operator: type[Any]) -> None:
    with dag(), pytest.raises(TypeError, match="unheard_of"):
        operator(task_id="made", **fields(operator), unheard_of=1)


@each
def test_a_subclass_with_a_constructor_of_its_own_keeps_it(operator: type[Any]) -> None:
    base: Any = operator

    class Louder(base):  # type: ignore[misc] # a user's own
        def __init__(self, *, volume: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.volume = volume

    given = fields(operator)
    with dag():
        made: Any = Louder(task_id="made", volume=11, **given)
    assert (made.volume, {name: getattr(made, name) for name in given}) == (11, given)


@each
def test_it_is_serialized_plain_and_mapped(operator: type[Any]) -> None:
    given = fields(operator)
    name = next(iter(given or {"klaviyo_conn_id": "other"}))
    rest = {other: value for other, value in given.items() if other != name}
    with dag() as made:
        operator(task_id="plain", **given)
        operator.partial(task_id="many", **rest).expand(**{name: [given.get(name, "other")] * 2})
    back = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(made))))
    assert {found.task_id: found.task_type for found in back.task_dict.values()} == {"plain": operator.__name__, "many": operator.__name__}
    assert set(back.task_dict["plain"].template_fields) == set(operator.template_fields)


@each
def test_it_is_mapped_over_each_of_its_fields(operator: type[Any]) -> None:
    given = fields(operator)
    for name in given:
        rest = {other: value for other, value in given.items() if other != name}
        with dag():
            mapped = operator.partial(task_id="many", **rest).expand(**{name: [given[name]]})
        made = mapped.unmap({**mapped.partial_kwargs, name: given[name]})
        assert {other: getattr(made, other) for other in given} == given


@each
def test_outputs_of_other_tasks_fill_each_of_its_fields(operator: type[Any]) -> None:
    given = fields(operator)
    for field in declared(operator):
        with dag() as made:

            @task
            def upstream() -> Any:
                return None

            output = upstream()
            found = operator(task_id="made", **{**given, field.name: output})
        assert isinstance(getattr(found, field.name), XComArg)
        assert made.task_dict["made"].upstream_task_ids == {"upstream"}, field.name


@each
def test_a_rendered_value_comes_in_the_fields_type(operator: type[Any]) -> None:
    given = fields(operator)
    for field in declared(operator):
        for kind, (template, expected) in FORMS.items():
            if (
                Mark.VERBATIM not in field.marks
                and kind in {field.hint, *get_args(field.hint)}
                and bool not in {field.hint, *get_args(field.hint)} - {kind}
            ):
                assert rendered(operator, given, field.name, template) == expected, field.name


@each
def test_what_an_example_gives_may_be_a_template(operator: type[Any]) -> None:
    given = fields(operator)
    for field in declared(operator):
        value = given.get(field.name)
        if value is None or Mark.VERBATIM in field.marks or "{{" in str(value):
            continue
        template = "{{ params.value }}" if isinstance(value, str) else "{{ params.value | tojson }}"
        try:
            json.dumps(value)
        except TypeError:
            continue  # a mapping with converters in it is given as it is
        expected = coerce(value, field.hint, where=field.name)
        assert plain(rendered(operator, given, field.name, template, value=value)) == plain(expected), field.name


@each
def test_klaviyos_template_content_stays_byte_for_byte(operator: type[Any]) -> None:
    given = fields(operator)
    for field in declared(operator):
        if Mark.VERBATIM in field.marks:
            value: Any = (
                LITERAL if str in {field.hint.__origin__, *get_args(field.hint.__origin__)} else {"content": [{"subject": LITERAL}]}
            )
            if "Sequence" in str(field.hint):
                value = [value]
            assert rendered(operator, given, field.name, value) == value, field.name


@each
def test_fields_about_people_and_secrets_are_marked(operator: type[Any]) -> None:
    assert {field.name for field in declared(operator) if field.name in ABOUT_PEOPLE and Mark.PERSONAL not in field.marks} == set()


@each
def test_what_is_about_people_is_not_shown(operator: type[Any]) -> None:
    for field in declared(operator):
        if Mark.PERSONAL in field.marks:
            value = next(each for each in PERSON if fits(each, field))
            shown = rendered(operator, fields(operator), field.name, "{{ params.value | tojson }}", value=value)
            assert "sarah" in json.dumps(plain(shown)), "the operator itself has it"
            assert "sarah" not in f"{shown!r} {[shown]} {serialize_template_field(shown, field.name)}", field.name


def fits(value: Any, field: Field) -> bool:
    """Say whether a field takes a value."""
    try:
        coerce(value, field.hint, where=field.name)
    except KlaviyoConfigError:
        return False
    return True


def rendered(operator: type[Any], given: dict[str, Any], name: str, template: Any, value: Any = None) -> Any:
    """Return what a field is after Airflow has rendered it, the others being plain."""
    with dag():
        made = operator(task_id="made", **{**given, name: template})
    others = {other: getattr(made, other) for other in operator.template_fields if other != name}
    for other in others:
        setattr(made, other, None)
    made.__class__ = type(operator.__name__, (operator,), {"template_fields": (name,)})
    made.render_template_fields({"params": {"value": value}})
    return getattr(made, name)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: what hides people compares by what it holds."""
    if hasattr(value, "items"):
        return {key: plain(found) for key, found in value.items()}
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        return str(value)
    return str(value) if type(value).__name__ == "HiddenText" else [plain(found) for found in value]
