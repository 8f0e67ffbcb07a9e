# SPDX-License-Identifier: Apache-2.0
"""Fields are declared once; Airflow sees an ordinary operator."""

from __future__ import annotations

import copy
import datetime as dt
import inspect
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest
from airflow.sdk import DAG, BaseOperator, literal, task
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_klaviyo.operators.base import Airflows, DeclaredOperator, KlaviyoOperator, Personal, Verbatim
from airflow_provider_klaviyo.operators.fields import Mark

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.models.dagrun import DagRun
    from airflow.sdk import Context

DOCS = Path(__file__).parents[2] / "docs"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Greet(KlaviyoOperator):
    """Return what it was given."""

    name: str
    times: int = 1
    loud: bool | None = None
    tags: Sequence[str] | None = None
    size: Literal["S", "L"] = "S"
    who: Personal[Mapping[str, Any] | None] = None
    about: Personal[str | None] = None
    html: Verbatim[str | None] = None
    shape: Callable[[str], str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the fields."""
        shown = {"name": self.name, "times": self.times, "loud": self.loud, "tags": self.tags, "size": self.size, "html": self.html}
        return {**shown, "who": self.who and dict(self.who), "about": self.about and f"{self.about}"}


class Waves(Greet):
    """A subclass with one field more."""

    hand: str = "left"


class Louder(Greet):
    """A user's subclass with a constructor of its own."""

    def __init__(self, *, volume: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.volume = volume


class LouderStill(Louder):
    """A subclass of that with a field again."""

    echo: bool = False


class Silent(Greet):
    """A subclass with nothing of its own."""


def dag(**arguments: Any) -> DAG:
    return DAG("greetings", schedule=None, start_date=START, **arguments)


def returned(run: DagRun, task_id: str, map_index: int = -1) -> Any:
    """Return what a task of a run returned."""
    instance = run.get_task_instance(task_id, map_index=map_index)
    assert instance is not None
    assert instance.state == "success"
    return instance.xcom_pull(task_ids=task_id, map_indexes=map_index)


def test_the_constructor_has_a_true_signature() -> None:
    parameters = inspect.signature(Waves).parameters
    assert [*parameters] == [
        *("hand", "name", "times", "loud", "tags", "size", "who", "about", "html", "shape"),
        *("klaviyo_conn_id", "retry_policy", "kwargs"),
    ]
    assert parameters["name"].default is inspect.Parameter.empty
    assert parameters["times"].default == 1
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for name, each in parameters.items() if name != "kwargs")


def test_every_field_but_a_callable_is_one_of_airflows_template_fields() -> None:
    assert Waves.template_fields == ("hand", "name", "times", "loud", "tags", "size", "who", "about", "html", "klaviyo_conn_id")


def test_a_missing_and_a_misspelt_field_are_refused() -> None:
    with pytest.raises(TypeError, match="missing keyword argument 'name'"):
        Greet(task_id="greet")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="nmae"):
        Greet(task_id="greet", name="Ann", nmae="Bob")  # type: ignore[call-arg]


def test_default_args_reach_fields_and_airflows_own() -> None:
    with dag(default_args={"name": "Ann", "klaviyo_conn_id": "other", "retries": 4, "volume": 3, "times": 2}):
        plain, still = Greet(task_id="plain"), LouderStill(task_id="still", times=5)  # type: ignore[call-arg]
    assert (plain.name, plain.times, plain.klaviyo_conn_id, plain.retries) == ("Ann", 2, "other", 4)
    assert (still.name, still.times, still.volume, still.echo, still.retries) == ("Ann", 5, 3, False, 4)


def test_a_subclass_with_its_own_constructor_keeps_it() -> None:
    louder = Louder(task_id="louder", volume=11, name="Ann")
    assert (louder.volume, louder.name, louder.times) == (11, "Ann", 1)
    assert [*inspect.signature(Louder).parameters] == ["volume", "kwargs"]
    assert [*inspect.signature(LouderStill).parameters] == ["echo", "volume", "kwargs"]
    assert inspect.signature(Silent) == inspect.signature(Greet)


def test_it_is_copied_and_serialized() -> None:
    with dag() as made:
        Greet(task_id="greet", name="{{ ds }}", who={"email": "a@example.com"})
        Greet.partial(task_id="many", times=2).expand(name=["a", "b"])
    copied = copy.deepcopy(made.task_dict["greet"])
    assert isinstance(copied, Greet)
    assert copied.name == "{{ ds }}"
    back = DagSerialization.from_dict(DagSerialization.to_dict(made))
    assert set(back.task_dict) == {"greet", "many"}
    assert vars(back.task_dict["greet"])["name"] == "{{ ds }}"


def test_outputs_of_other_tasks_make_dependencies() -> None:
    with dag() as made:
        first = Greet(task_id="first", name="Ann")
        Greet(task_id="second", name=first.output, who={"email": first.output})  # type: ignore[arg-type]
    assert made.task_dict["second"].upstream_task_ids == {"first"}


def test_rendered_values_come_in_their_type(run_dag: Callable[..., DagRun]) -> None:
    with dag() as made:
        Greet(
            task_id="greet",
            name="{{ 4 }}",
            times="{{ 40 + 2 }}",  # type: ignore[arg-type]
            loud="{{ False }}",  # type: ignore[arg-type]
            tags="{{ ['a', 'b'] }}",
            size="{{ 'L' }}",  # type: ignore[arg-type]
            who='{"first_name": "{{ 1 }}"}',  # type: ignore[arg-type]
            html="{{ first_name }}",
        )
    assert returned(run_dag(made), "greet") == {
        "name": "4",
        "times": 42,
        "loud": False,
        "tags": ["a", "b"],
        "size": "L",
        "html": "{{ first_name }}",
        "who": {"first_name": "1"},
        "about": None,
    }


def test_what_jinja_finds_nothing_for_is_none_where_it_may_be(run_dag: Callable[..., DagRun]) -> None:
    with dag(params={"page": None}) as made:
        Greet(task_id="greet", name="None", loud="{{ params.page }}", who={"first_name": "{{ params.page }}", "title": "None"})  # type: ignore[arg-type]
        Greet.partial(task_id="many", who={"title": "{{ params.page }}"}).expand(name=["None"])
    run = run_dag(made)
    read, mapped = returned(run, "greet"), returned(run, "many", 0)
    assert (read["name"], read["loud"], read["who"]) == ("None", None, {"first_name": None, "title": "None"})
    assert (mapped["name"], mapped["who"]) == ("None", {"title": None})


def test_what_jinja_finds_nothing_for_is_refused_where_something_is_needed(
    run_dag: Callable[..., DagRun], capsys: pytest.CaptureFixture[str]
) -> None:
    with dag(params={"page": None}) as made:
        Greet(task_id="greet", name="{{ params.page }}", retries=3)
    instance = run_dag(made).get_task_instance("greet")
    assert instance is not None
    assert (instance.state, instance.try_number) == ("failed", 1)
    assert "Greet 'greet': name must be str, nothing is not" in capsys.readouterr().out


def test_mapped_tasks_are_coerced_too(run_dag: Callable[..., DagRun]) -> None:
    with dag() as made:

        @task
        def names() -> list[str]:
            return ["Ann", "Bob"]

        Greet.partial(task_id="many", times="{{ 40 + 2 }}", who={"last_name": "{{ 'X' }}"}).expand(name=names())
    run = run_dag(made)
    both = [returned(run, "many", index) for index in (0, 1)]
    assert [each["name"] for each in both] == ["Ann", "Bob"]
    assert [each["times"] for each in both] == [42, 42]
    assert [each["who"] for each in both] == [{"last_name": "X"}] * 2


def test_a_value_of_another_type_is_refused_without_showing_it(run_dag: Callable[..., DagRun], capsys: pytest.CaptureFixture[str]) -> None:
    with dag() as made:
        Greet(task_id="greet", name="Ann", times="{{ 'jane@' ~ 'example.com' }}", retries=3, retry_delay=0)  # type: ignore[arg-type]
    instance = run_dag(made).get_task_instance("greet")
    assert instance is not None
    assert (instance.state, instance.try_number) == ("failed", 1)
    said = capsys.readouterr().out
    assert "Greet 'greet': times must be int, a text of 16 characters is not" in said
    assert "jane@example.com" not in said


def test_klaviyo_tags_pass_through_literal(run_dag: Callable[..., DagRun]) -> None:
    with dag() as made:
        Greet(task_id="greet", name=literal("{{ first_name|default:'you' }} {% unsubscribe %}"))  # type: ignore[arg-type]
    assert returned(run_dag(made), "greet")["name"] == "{{ first_name|default:'you' }} {% unsubscribe %}"


NATIVE = ("12E456", "123_456", "2024_01", "1.10", "0x10", "True", "None", "['a']", " a \n")


@pytest.mark.parametrize("text", NATIVE)
def test_a_text_without_a_template_is_no_python(run_dag: Callable[..., DagRun], text: str) -> None:
    with dag(render_template_as_native_obj=True) as made:
        Greet(
            task_id="greet",
            name=text,
            tags=[text],
            who={"phone_number": "+491511234567", "code": {"in": [text, {"not": text}]}},
            about=text,
            html=text,
        )
        Greet.partial(task_id="many", name="Ann").expand(who=[{"code": text}])
    run = run_dag(made)
    read = returned(run, "greet")
    assert (read["name"], read["tags"], read["about"], read["html"]) == (text, [text], text, text)
    assert read["who"] == {"phone_number": "+491511234567", "code": {"in": [text, {"not": text}]}}
    assert returned(run, "many", 0)["who"] == {"code": text}


@pytest.mark.parametrize("of_task", [False, True])
@pytest.mark.parametrize("text", NATIVE[:5])
def test_a_field_of_texts_is_rendered_as_text(run_dag: Callable[..., DagRun], text: str, *, of_task: bool) -> None:
    native: dict[str, Any] = {"render_template_as_native_obj": True}
    with dag(params={"text": text}, **({} if of_task else native)) as made:
        own = native if of_task else {}
        Greet(task_id="greet", name="{{ params.text }}", tags=["{{ params.text }}"], about="{{ params.text }}", **own)
        Greet(task_id="whole", name="Ann", tags="{{ [params.text] }}", **own)
        Greet.partial(task_id="many", name="{{ params.text }}", **own).expand(about=["{{ params.text }}"])
    run = run_dag(made)
    for read in (returned(run, "greet"), returned(run, "many", 0)):
        assert (read["name"], read["about"]) == (text, text)
    assert returned(run, "greet")["tags"] == returned(run, "whole")["tags"] == [text]


def test_other_fields_are_rendered_as_the_dag_says(run_dag: Callable[..., DagRun]) -> None:
    with dag(params={"who": {"visits": 3, "code": "12E4"}}, render_template_as_native_obj=True) as made:
        Greet(task_id="greet", name="Ann", times="{{ 40 + 2 }}", who="{{ params.who }}")  # type: ignore[arg-type]
    read = returned(run_dag(made), "greet")
    assert (read["times"], read["who"]) == (42, {"visits": 3, "code": "12E4"})
    assert made.task_dict["greet"].render_template_as_native_obj is None


def test_people_do_not_stand_in_rendered_fields(run_dag: Callable[..., DagRun]) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with dag() as made:
        Greet(task_id="greet", name="Ann", who={"email": "jane@" + "{{ 'example.com' }}"}, about="{{ 'ja' ~ 'ne' }}")
    run = run_dag(made)
    assert returned(run, "greet")["who"] == {"email": "jane@example.com"}
    assert returned(run, "greet")["about"] == "jane"
    query = select(RenderedTaskInstanceFields).where(RenderedTaskInstanceFields.run_id == run.run_id)
    with create_session() as session:
        (rendered,) = (each.rendered_fields for each in session.scalars(query))
    assert rendered["who"] == "<1 fields, not shown>"
    assert rendered["about"] == "<text of 4 characters, not shown>"
    assert rendered["name"] == "Ann"


def test_people_do_not_stand_in_the_log_of_a_template_that_fails(
    run_dag: Callable[..., DagRun], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with dag() as made:
        Greet(task_id="greet", name="Ann", who={"email": "jane@example.com", "title": "{{ nosuch.thing }}"})
    instance = run_dag(made).get_task_instance("greet")
    assert instance is not None
    assert instance.state == "failed"
    said = capsys.readouterr().out + caplog.text
    assert "<template, not shown>" in said
    assert "'nosuch' is undefined" in said
    assert "jane@example.com" not in said


@pytest.mark.parametrize(
    "name", ["email", "dry_run", "label", "params", "start_date", "end_date", "output", "retries", "task_id", "request", "hook"]
)
def test_a_field_may_not_take_a_name_of_airflows(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Bad.{name}: every operator has a '{name}' already.*choose another name"):
        type("Bad", (KlaviyoOperator,), {"__annotations__": {name: "str"}, "__module__": __name__})


def test_email_says_why() -> None:
    with pytest.raises(TypeError, match="mails stack traces of failed tasks to that address"):
        type("Bad", (KlaviyoOperator,), {"__annotations__": {"email": "str"}, "__module__": __name__})


def test_a_type_must_be_there_at_run_time() -> None:
    with pytest.raises(TypeError, match=r"Bad\.price: the type 'Decimal' is not there at run time.*outside `if TYPE_CHECKING`"):

        class Bad(KlaviyoOperator):
            price: Decimal


def test_a_mutable_default_is_refused() -> None:
    with pytest.raises(TypeError, match="mutable default"):

        class Bad(KlaviyoOperator):
            tags: list[str] = []  # noqa: RUF012 - the point of it


def test_class_variables_and_underscores_are_no_fields() -> None:
    class Kind(KlaviyoOperator):
        kind: ClassVar[str] = "k"
        _kept: int | None = None
        name: str

    assert [*inspect.signature(Kind).parameters] == ["name", "klaviyo_conn_id", "retry_policy", "kwargs"]


def test_a_field_declared_again_changes_its_default() -> None:
    class Twice(Greet):
        times: int = 2

    assert Twice(task_id="twice", name="Ann").times == 2
    assert Twice(task_id="twice", name="Ann", times=3).times == 3


def test_an_argument_of_airflows_may_be_given_another_default() -> None:
    class Patient(KlaviyoOperator):
        retries: Airflows[int | None] = 7

    assert Patient(task_id="patient").retries == 7
    assert Patient(task_id="patient", retries=1).retries == 1
    with dag():
        assert Patient.partial(task_id="patient").expand(klaviyo_conn_id=["a", "b"]).retries == 7
    assert "retries" not in Patient.template_fields


def test_no_operator_of_ours_has_a_field_of_airflows() -> None:
    airflows = {*dir(BaseOperator), *inspect.signature(BaseOperator.__init__).parameters}
    for cls in operators():
        shadowing = {name for name, field in cls._declared.items() if name in airflows and Mark.AIRFLOW not in field.marks}
        assert not shadowing, cls


def operators(cls: type[DeclaredOperator] = DeclaredOperator) -> list[type[DeclaredOperator]]:
    """Return a class and all that inherit it."""
    return [cls, *(each for sub in cls.__subclasses__() for each in operators(sub))]


@pytest.mark.parametrize("page", ["operators/index.md", "security.md"])
def test_the_docs_name_every_field_that_is_not_shown(page: str) -> None:
    from tests.test_structure import public

    ours = (cls for cls in public() if issubclass(cls, DeclaredOperator))
    hidden = {name for cls in ours for name, field in cls._declared.items() if Mark.PERSONAL in field.marks}
    text = (DOCS / page).read_text(encoding="utf-8")
    assert {name for name in hidden if f"`{name}`" not in text} == set()


def test_importing_every_operator_costs_little() -> None:
    """The modules that would cost are not imported: only those that Airflow has imported anyway, and ours."""
    code = (
        "import sys, airflow.sdk; from airflow.sdk import BaseOperator, BaseSensorOperator, RetryPolicy, conf; before = set(sys.modules)\n"
        "from airflow_provider_klaviyo.operators import events, lists, profiles, request\n"
        "from airflow_provider_klaviyo.sensors import jobs\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))\n"
        "print(*[name for name in ('airflow_provider_klaviyo.session', 'airflow_provider_klaviyo.hooks.klaviyo') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert out[-2].split() == ["airflow_provider_klaviyo"]
    assert out[-1] == ""
