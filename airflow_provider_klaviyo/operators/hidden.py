# SPDX-License-Identifier: Apache-2.0
"""Values about people that Airflow may not show: neither rendered, nor while they are being rendered."""

from __future__ import annotations

from collections import UserString
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class HiddenMapping(Mapping[str, Any]):
    """A mapping about people: it works as any other, and shows only its size."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self._value = value

    def __getitem__(self, key: str) -> Any:
        return self._value[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<{len(self)} fields, not shown>"

    serialize = __repr__  # what Airflow stores as the rendered field


class HiddenSequence(Sequence[Any]):
    """A sequence about people: it works as any other, and shows only its size."""

    def __init__(self, value: Sequence[Any]) -> None:
        self._value = value

    def __getitem__(self, index: Any) -> Any:
        return self._value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<{len(self)} items, not shown>"

    serialize = __repr__  # what Airflow stores as the rendered field


class HiddenText(UserString):
    """A text about people: it works as any other, and shows only its size. No ``str``, because Airflow stores those as they are."""

    def __repr__(self) -> str:
        return f"<text of {len(self)} characters, not shown>"

    serialize = __repr__  # what Airflow stores as the rendered field


class HiddenTemplate:
    """
    A value that is yet to be rendered: where that fails, Airflow logs it.

    :param render: Renders it.
    """

    def __init__(self, render: Callable[[], Any]) -> None:
        self._render = render

    def __call__(self, **_: Any) -> Any:
        """Render, as Airflow asks callables to."""
        return self._render()

    def __repr__(self) -> str:
        return "<template, not shown>"

    serialize = __repr__  # what Airflow stores as the rendered field


def hide(value: Any) -> Any:
    """Wrap a text, a mapping or a sequence so that it does not show itself; anything else is returned as it is."""
    match value:
        case HiddenText() | HiddenMapping() | HiddenSequence():
            return value
        case str():
            return HiddenText(value)
        case Mapping():
            return HiddenMapping(value)
        case Sequence():
            return HiddenSequence(value)
    return value
