# SPDX-License-Identifier: Apache-2.0
"""A field that was given and renders to nothing is not a field that was left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_klaviyo.api.errors import KlaviyoConfigError
from airflow_provider_klaviyo.operators.base import KlaviyoOperator

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context


class NotNothing(KlaviyoOperator):
    """Refuse templates that come to nothing where to leave the field out means more: every list, or no limit."""

    not_nothing: ClassVar[tuple[str, ...]] = ()
    """The fields."""

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], context: Context, jinja_env: jinja2.Environment, seen_oids: set[int]
    ) -> None:
        """Render as usual, and look at what was given."""
        given = [name for name in self.not_nothing if parent is self and getattr(self, name) is not None]
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        for name in given:
            value = getattr(self, name)
            if value is None or (isinstance(value, str) and not value.strip()):
                raise KlaviyoConfigError(f"{type(self).__name__} {self.task_id!r}: {name} was given and came to nothing")
