# SPDX-License-Identifier: Apache-2.0
"""
An operator's parameters, each declared once.

A class that inherits :class:`DeclaredOperator` writes its parameters as annotated fields. From them it gets a keyword-only
constructor with a true signature (``default_args``, ``.partial().expand()``, help and type checkers see it), templating,
and a check of every rendered value against the declared type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, dataclass_transform, get_args, get_origin, get_type_hints

from airflow.sdk import BaseOperator

from airflow_provider_klaviyo.operators.coercion import cleared, coerce, is_text
from airflow_provider_klaviyo.operators.hidden import HiddenTemplate, hide

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

T = TypeVar("T")


class Mark(Enum):
    """What is special about a field."""

    VERBATIM = auto()
    PERSONAL = auto()
    AIRFLOW = auto()
    PLAIN = auto()


Verbatim = Annotated[T, Mark.VERBATIM]
"""Klaviyo's template content: its ``{{ }}`` are Klaviyo's, not Airflow's. It arrives byte for byte; an upstream task's output may fill it."""

Personal = Annotated[T, Mark.PERSONAL]
"""A text, mapping or sequence about people: Airflow's log, "Rendered Templates" tab and database get its size, never its content."""

Plain = Annotated[T, Mark.PLAIN]
"""What holds functions, such as a mapping: it is handed on as it was given, neither templated nor checked."""

Airflows = Annotated[T, Mark.AIRFLOW]
"""An argument of Airflow's own, declared again for another default; it is handed on, neither templated nor checked."""


@dataclass(frozen=True)
class Field:
    """
    One declared parameter.

    :param name: The keyword.
    :param hint: The declared type, markers included.
    :param default: The default, or :data:`inspect.Parameter.empty` where it must be given.
    """

    name: str
    hint: Any
    default: Any

    @property
    def marks(self) -> frozenset[Any]:
        """The markers in its type."""
        return frozenset(getattr(self.hint, "__metadata__", ()))

    @property
    def templated(self) -> bool:
        """Whether it is one of Airflow's ``template_fields``: everything but callables, what holds them, and Airflow's own arguments."""
        return self.marks.isdisjoint({Mark.AIRFLOW, Mark.PLAIN}) and not _holds_callable(self.hint)

    @property
    def parameter(self) -> inspect.Parameter:
        """Its place in the constructor's signature."""
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=self.hint)


@dataclass_transform(kw_only_default=True)
class DeclaredOperator(BaseOperator):
    """
    An operator whose annotated fields are its constructor.

    - ``name: str`` must be given, ``limit: int | None = None`` may be.
    - Every field is templated, but for callables and the texts of :data:`Verbatim` ones; after rendering it is coerced to its type, or refused.
      A text without a template in it stays as it is, and a field of texts alone is rendered as text, also where the DAG or the task has
      ``render_template_as_native_obj``: that would make ``inf`` of the id ``12E456``.
    - Names with a leading underscore and ``ClassVar`` are no fields.
    - A field may not take a name that a base class uses (``email``, ``label``, ``params`` ...); the class is refused at import.
    - A class that writes its own ``__init__`` declares nothing, and keeps it.
    - Types must exist at run time, not only under ``if TYPE_CHECKING``, because values are checked against them.
    """

    _declared: ClassVar[Mapping[str, Field]] = MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            return
        ancestors = [each for each in reversed(cls.__mro__[1:]) if issubclass(each, DeclaredOperator)]
        cls._declared = MappingProxyType({name: each for base in ancestors for name, each in vars(base).get("_declared", {}).items()})
        fields = _fields(cls)
        if not fields and len(cls.__bases__) == 1:
            return
        cls._declared = MappingProxyType({**cls._declared, **fields})
        inherited = dict.fromkeys(name for base in reversed(ancestors) for name in base.template_fields if name not in fields)
        cls.template_fields = (*(name for name, field in fields.items() if field.templated), *inherited)
        cls.__init__ = _constructor(cls, fields)  # type: ignore[method-assign]

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Context, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> None:
        """
        Render, then bring each field to its declared type.

        Airflow renders a plain and a mapped task by different ways that meet only here.
        """
        names = tuple(template_fields)
        if parent is not self:
            super()._do_render_template_fields(parent, names, context, jinja_env, seen_oids)
            return
        fields = [field for field in self._declared.values() if field.name in names]
        templates = {field.name: getattr(self, field.name) for field in fields}
        for field in fields:
            literal = _anything if Mark.VERBATIM in field.marks else self._without_template(jinja_env)
            setattr(self, field.name, _literally(templates[field.name], literal))
        texts = [field.name for field in fields if is_text(field.hint)]
        with self._rendering_text(jinja_env) as text_env:
            self._render_fields(texts, context, text_env, seen_oids)
        self._render_fields([name for name in names if name not in texts], context, jinja_env, seen_oids)
        for field in fields:
            found = cleared(templates[field.name], getattr(self, field.name))
            value = coerce(found, field.hint, where=f"{type(self).__name__} {self.task_id!r}: {field.name}")
            setattr(self, field.name, hide(value) if Mark.PERSONAL in field.marks else value)

    def _render_fields(self, names: Iterable[str], context: Context, jinja_env: jinja2.Environment, seen_oids: set[int]) -> None:
        """Render fields as Airflow does, those about people out of its sight."""
        for name in names:
            if name in self._declared and Mark.PERSONAL in self._declared[name].marks and (template := getattr(self, name)):
                setattr(self, name, HiddenTemplate(partial(self.render_template, template, context, jinja_env, seen_oids)))
        super()._do_render_template_fields(self, names, context, jinja_env, seen_oids)

    def _without_template(self, jinja_env: jinja2.Environment) -> Callable[[str], bool]:
        """Return what tells whether a text is neither a template nor the name of a file with one."""
        beginnings = (jinja_env.variable_start_string, jinja_env.block_start_string, jinja_env.comment_start_string)
        return lambda text: not text.endswith(tuple(self.template_ext)) and not any(each in text for each in beginnings)

    @contextmanager
    def _rendering_text(self, jinja_env: jinja2.Environment) -> Iterator[jinja2.Environment]:
        """Have templates make text, also where they make Python's own objects otherwise."""
        chosen, dag = self.render_template_as_native_obj, self.get_dag()
        if not (chosen if chosen is not None else dag and dag.render_template_as_native_obj):
            yield jinja_env
            return
        self.render_template_as_native_obj = False
        try:
            yield self.get_template_env()
        finally:
            self.render_template_as_native_obj = chosen


def _anything(text: str) -> bool:  # noqa: ARG001
    """Choose every text."""
    return True


def _literally(value: Any, chosen: Callable[[str], bool]) -> Any:
    """Return a value whose chosen texts Airflow hands through unrendered; the outputs of upstream tasks in it are still filled in."""
    from airflow.sdk.definitions.template import literal

    match value:
        case str():
            return literal(value) if chosen(value) else value
        case dict():
            return {key: _literally(each, chosen) for key, each in value.items()}
        case list() | set():
            return type(value)(_literally(each, chosen) for each in value)
        case tuple():
            several = [_literally(each, chosen) for each in value]
            return type(value)(*several) if hasattr(value, "_fields") else type(value)(several)
    return value


def _fields(cls: type[DeclaredOperator]) -> dict[str, Field]:
    """Read the annotations that stand in the body of a class."""
    fields = {}
    for name, annotation in inspect.get_annotations(cls).items():
        hint = _resolved(cls, name, annotation)
        if name.startswith("_") or hint is ClassVar or get_origin(hint) is ClassVar:
            continue
        fields[name] = field = Field(name, hint, vars(cls).get(name, inspect.Parameter.empty))
        if Mark.AIRFLOW not in field.marks and name not in cls._declared and _taken(cls, name):
            raise TypeError(_refusal(cls, name))
        if type(field.default).__hash__ is None:
            raise TypeError(f"{cls.__qualname__}.{name}: a mutable default would be shared by all tasks; use None")
    return fields


def _resolved(cls: type[DeclaredOperator], name: str, annotation: Any) -> Any:
    """Turn an annotation, which may be text, into the type it names."""
    alone = type(cls.__name__, (), {"__annotations__": {name: annotation}, "__module__": cls.__module__})
    try:
        return get_type_hints(alone, include_extras=True)[name]
    except NameError as error:
        message = (
            f"{cls.__qualname__}.{name}: the type {annotation!r} is not there at run time ({error});"
            " import it outside `if TYPE_CHECKING`, because rendered values are checked against it"
        )
        raise TypeError(message) from error


def _taken(cls: type[DeclaredOperator], name: str) -> bool:
    """Say whether a base class uses a name: as an attribute, a method, or an argument of Airflow's."""
    return any(hasattr(base, name) or name in _arguments(base) for base in cls.__mro__[1:])


def _refusal(cls: type[DeclaredOperator], name: str) -> str:
    why = {
        "email": " (Airflow mails stack traces of failed tasks to that address, which here would be a customer's)",
        "dry_run": " (a method)",
    }.get(name, "")
    return f"{cls.__qualname__}.{name}: every operator has a {name!r} already{why}; choose another name for the field"


@cache
def _arguments(cls: type[Any]) -> Mapping[str, inspect.Parameter]:
    init = vars(cls).get("__init__")
    return inspect.signature(init).parameters if inspect.isfunction(init) else {}


def _constructor(cls: type[DeclaredOperator], fields: Mapping[str, Field]) -> Callable[..., None]:
    """Make an ``__init__`` that takes the fields and hands on the rest, and those that a base class takes as well."""
    bases = [next(each for each in base.__mro__ if "__init__" in vars(each)) for base in cls.__bases__]
    taken = dict(pair for base in reversed(bases) for pair in _arguments(base).items())
    ours = {} if bases[0].__module__.startswith("airflow.") else dict(pair for base in bases for pair in _arguments(base).items())

    def __init__(self: Any, **kwargs: Any) -> None:  # noqa: N807 - it becomes that method
        given = {name: kwargs.pop(name, field.default) for name, field in fields.items()}
        super(cls, self).__init__(**kwargs, **{name: value for name, value in given.items() if name in taken})
        for name in given.keys() - taken.keys():
            setattr(self, name, given[name])

    rest = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD, annotation=Any)
    inherited = [each for each in ours.values() if each.kind is inspect.Parameter.KEYWORD_ONLY and each.name not in fields]
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [self, *(field.parameter for field in fields.values()), *inherited, rest]
    __init__.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    __init__.__qualname__, __init__.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    return __init__


def _holds_callable(hint: Any) -> bool:
    return Callable in {hint, get_origin(hint)} or any(_holds_callable(each) for each in get_args(hint) if get_origin(hint) is not None)
