# SPDX-License-Identifier: Apache-2.0
"""Airflow's Variables, as a store of tokens, from wherever a hook is used."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection
from functools import cache

from airflow.sdk.configuration import conf
from airflow.sdk.log import mask_secret

from airflow_provider_klaviyo.sharing import Store, parsed

log = logging.getLogger(__name__)


def variables() -> Store | None:
    """Return the Variables as this process reaches them; ``None`` where it does not, as in a script."""
    if getattr(sys.modules.get("airflow.sdk.execution_time.task_runner"), "SUPERVISOR_COMMS", None):
        return TaskVariables()
    return ServerVariables() if os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server" else None


class TaskVariables:
    """The Variables as tasks and triggers reach them: through the supervisor, by blocking calls."""

    def read(self, name: str) -> str | None:
        """Return a Variable's value, ``None`` where there is none or it cannot be read."""
        from airflow.sdk import Variable

        return _masked(Variable.get(name, default=None))

    def write(self, name: str, text: str, description: str) -> None:
        """Set a Variable."""
        from airflow.sdk import Variable

        _prepare(text)
        Variable.set(name, text, description)

    def names(self, beginning: str) -> Collection[str]:
        """Return the names of the Variables that begin so."""
        from airflow.sdk import Variable

        return list(Variable.keys(prefix=beginning))


class ServerVariables:
    """The Variables as the API server and the command line reach them: in the database."""

    def read(self, name: str) -> str | None:
        """Return a Variable's value, ``None`` where there is none or it cannot be read."""
        from airflow.models.variable import Variable

        return _masked(Variable.get(name, default_var=None))

    def write(self, name: str, text: str, description: str) -> None:
        """Set a Variable."""
        from airflow.models.variable import Variable

        _prepare(text)
        Variable.set(name, text, description)

    def names(self, beginning: str) -> Collection[str]:
        """Return the names of the Variables that begin so."""
        from airflow.models.variable import Variable
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            return session.scalars(select(Variable.key).where(Variable.key.startswith(beginning, autoescape=True))).all()


def _prepare(text: str) -> None:
    _masked(text)
    if not conf.get("core", "fernet_key", fallback=""):
        _warn_of_plain_text()


def _masked(text: str | None) -> str | None:
    """Have Airflow hide the tokens of a record wherever they are logged, and return it."""
    for name in ("access_token", "refresh_token"):
        if secret := parsed(text).get(name):
            mask_secret(secret)
    return text


@cache
def _warn_of_plain_text() -> None:
    """Warn once, whence the cache."""
    log.warning(
        "Airflow has no Fernet key, so the tokens of Klaviyo's OAuth connections are stored as plain text: set fernet_key in [core], and each is"
        " encrypted when it is next renewed"
    )
