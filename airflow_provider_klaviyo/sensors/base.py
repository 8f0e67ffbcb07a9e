# SPDX-License-Identifier: Apache-2.0
"""What all sensors share: they mean the same whether they poke, reschedule or defer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue, RetryPolicy, conf
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_klaviyo.api.request import Json
from airflow_provider_klaviyo.operators.base import Airflows, DeclaredOperator, KlaviyoRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_klaviyo.triggers.base import KlaviyoTrigger, Look, Waiting


class KlaviyoSensor(DeclaredOperator, BaseSensorOperator):
    """
    Wait for something in Klaviyo.

    A subclass declares its parameters as fields, makes the trigger that looks for it, which serves in the worker as well, and
    judges what was seen in the end.

    Deferred or poking, it means the same. It asks once before it defers. An answer that cannot change (a wrong key, an unknown
    id) fails it at once; an outage of Klaviyo does not, it asks again until the time is up.

    :param deferrable: Whether to wait in the triggerer, without a worker slot.
    :param klaviyo_conn_id: The Airflow connection with the account's private key.
    :param poke_interval: Seconds between two looks.
    :param timeout: Seconds until it gives up; Airflow's ``sensors.default_timeout`` where left out.
    :param soft_fail: Whether to be skipped, not failed, when the time is up.
    :param mode: ``poke`` or ``reschedule``, where it is not deferrable.
    :param exponential_backoff: Whether to wait longer from look to look, where it is not deferrable.
    :param max_wait: The longest wait between two looks, with ``exponential_backoff``.
    :param silent_fail: Whether to go on waiting after an error.
    :param never_fail: Whether to be skipped, not failed, after an error or when the time is up.
    :param retry_policy: What to do with a failed try; by default, errors that would come again are not retried.
    """

    deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False)
    klaviyo_conn_id: str = "klaviyo_default"
    poke_interval: Airflows[timedelta | float] = 10  # type: ignore[assignment] # Airflow keeps seconds of it
    timeout: Airflows[timedelta | float | None] = None  # type: ignore[assignment]
    soft_fail: Airflows[bool] = False
    mode: Airflows[str] = "poke"
    exponential_backoff: Airflows[bool] = False
    max_wait: Airflows[timedelta | float | None] = None  # type: ignore[assignment]
    silent_fail: Airflows[bool] = False
    never_fail: Airflows[bool] = False
    retry_policy: Airflows[RetryPolicy | None] = KlaviyoRetryPolicy()

    def trigger(self) -> KlaviyoTrigger:
        """Make the trigger from the rendered fields and :attr:`waiting`."""
        raise NotImplementedError

    def look(self, trigger: KlaviyoTrigger) -> Look:
        """Look once in the worker; by default as the trigger does."""
        return trigger.look()

    def verdict(self, seen: Json) -> Any:
        """Make what the task returns from what was seen when the wait was over, or raise what is wrong with it."""
        return seen

    @property
    def waiting(self) -> Waiting:
        """The arguments that every trigger has."""
        return {"klaviyo_conn_id": self.klaviyo_conn_id, "interval": cast("float", self.poke_interval)}

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002
        """Look once."""
        from airflow_provider_klaviyo.hooks.klaviyo import KlaviyoHook
        from airflow_provider_klaviyo.triggers.base import looked, waited_out

        trigger = self._trigger
        with waited_out(self.log.warning), KlaviyoHook(self.klaviyo_conn_id).session() as klaviyo:
            if looked(klaviyo, self.look(trigger)):
                return PokeReturnValue(is_done=True, xcom_value=self.verdict(trigger.seen()))
        return PokeReturnValue(is_done=False)

    def execute(self, context: Context) -> Any:
        """Wait, in the worker or in the triggerer."""
        if self.deferrable:
            return self.wait(context, deadline=time.time() + cast("float", self.timeout))
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            if self.never_fail:  # as Airflow has it for a sensor that was deferred, and not for one that pokes
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def resume(self, context: Context, event: Json) -> Any:  # noqa: ARG002
        """Go on where the trigger ended."""
        from airflow_provider_klaviyo.triggers.base import outcome

        with self._lenience():
            try:
                return self.verdict(outcome(event))
            except TimeoutError as error:
                raise AirflowSensorTimeout(f"Sensor has timed out after {self.timeout} seconds: {error}") from error
        return self._defer(event["deadline"])

    def wait(self, context: Context, *, deadline: float) -> Any:
        """
        Look once, then leave the rest to the triggerer.

        :param deadline: When to give up, as a Unix time.
        """
        with self._lenience():
            if (found := self.poke(context)).is_done:
                return found.xcom_value
        return self._defer(deadline)

    @cached_property
    def _trigger(self) -> KlaviyoTrigger:
        """The trigger, which keeps from look to look what it found out."""
        return self.trigger()

    def _defer(self, deadline: float) -> None:
        self._trigger.deadline = deadline
        self.defer(trigger=self._trigger, method_name="resume", timeout=self._trigger.patience)

    @contextmanager
    def _lenience(self) -> Iterator[None]:
        """Apply ``silent_fail`` and ``never_fail`` as Airflow does while poking."""
        try:
            yield
        except (AirflowSensorTimeout, AirflowSkipException):
            raise
        except Exception as error:
            if self.silent_fail:
                self.log.exception("A look went wrong; silent_fail is set, so the wait goes on.")
            elif self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            else:
                raise
