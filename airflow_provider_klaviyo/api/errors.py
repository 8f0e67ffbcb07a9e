# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, each with a sentence that says what to do. No message holds a key, a value or a person."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from airflow_provider_klaviyo.api import limits
from airflow_provider_klaviyo.api.redaction import Sent, redacted
from airflow_provider_klaviyo.api.request import Json, Request

SHOWN = 5
"""Faults that a message lists."""


class KlaviyoError(Exception):
    """
    The base of all errors of this package.

    ``permanent`` says whether another try of the task would end the same way.
    """

    permanent: ClassVar[bool] = True


class KlaviyoConfigError(KlaviyoError, ValueError):
    """A connection or an argument cannot work as it is."""


class KlaviyoUnanswered(KlaviyoError):  # noqa: N818 - the name says what is known
    """
    No answer came.

    :param operation: Method and path.
    :param sent: Whether the request may have reached Klaviyo.
    :param cause: What the network did, in a word.
    """

    permanent = False

    def __init__(self, operation: str, *, sent: bool, cause: str) -> None:
        self.operation, self.sent, self.cause = operation, sent, cause
        outcome = "it may have been carried out" if sent else "it was not sent"
        super().__init__(f"{operation} was not answered ({cause}): {outcome}")


class KlaviyoInDoubt(KlaviyoError):  # noqa: N818 - the name says what is known
    """Something may or may not have been carried out, and only a person can find out."""


class KlaviyoJobFailed(KlaviyoError):  # noqa: N818 - the name says what is known
    """A bulk job ended without all of its rows."""


class KlaviyoLoadFailed(KlaviyoError):  # noqa: N818 - the name says what is known
    """A load ended with more rejected rows than allowed, or with rows whose fate is unknown."""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One entry of Klaviyo's ``errors``.

    :param code: Klaviyo's word for it, such as ``invalid`` or ``duplicate_profile``.
    :param detail: Klaviyo's sentence, values taken out.
    :param pointer: JSON pointer into the body that was sent, or ``""``.
    :param parameter: Name of the query parameter at fault, or ``""``.
    :param duplicate_id: Id of the profile that already holds the identifier, or ``""``.
    """

    code: str
    detail: str
    pointer: str = ""
    parameter: str = ""
    duplicate_id: str = ""


@dataclass(eq=False)
class KlaviyoApiError(KlaviyoError):
    """
    Klaviyo answered that it will not do it.

    :param operation: Method and path.
    :param status: HTTP status.
    :param faults: What Klaviyo says is wrong, values taken out.
    :param conn_id: The Airflow connection that was used.
    :param retry_after: Seconds Klaviyo asks to wait, 0 where it does not.
    :param shapes: What stood at each pointer, as a shape and never as a value.
    """

    operation: str
    status: int
    faults: tuple[Fault, ...] = ()
    conn_id: str = ""
    retry_after: float = 0.0
    shapes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        super().__init__(str(self))

    @property
    def permanent(self) -> bool:  # type: ignore[override]
        """Whether another try of the task would end the same way."""
        return self.status < HTTPStatus.INTERNAL_SERVER_ERROR and self.status != HTTPStatus.TOO_MANY_REQUESTS

    @property
    def code(self) -> str:
        """The first fault's code."""
        return self.faults[0].code if self.faults else ""

    @property
    def duplicate_id(self) -> str:
        """Id of the profile that already holds the identifier, of a 409."""
        return next((each.duplicate_id for each in self.faults if each.duplicate_id), "")

    def __str__(self) -> str:
        shapes = (*self.shapes, *[""] * len(self.faults))
        said = "; ".join(_sentence(fault, shape) for fault, shape in zip(self.faults[:SHOWN], shapes, strict=False))
        if len(self.faults) > SHOWN:
            said += f"; and {len(self.faults) - SHOWN:,} more"
        return " ".join(filter(None, [f"{self.operation} answered {self.status}.", said, self._advice()]))

    def _advice(self) -> str:
        """Say what to do about it."""
        method, _, path = self.operation.partition(" ")
        match self.status:
            case HTTPStatus.UNAUTHORIZED:
                return (
                    f"Klaviyo does not know the key of the connection {self.conn_id!r}: its password must be a private API key"
                    " of this account, which begins with pk_ (Klaviyo: Settings, API keys)."
                )
            case HTTPStatus.FORBIDDEN:
                known = limits.find(method, path)
                need = f"the scopes {', '.join(known.scopes)}" if known and known.scopes else "the scope of this endpoint"
                return (
                    f"The key of the connection {self.conn_id!r} needs {need}; a key's scopes are fixed when it is made, so make a new one."
                )
            case HTTPStatus.NOT_FOUND:
                return f"Nothing has the id in {path} in the account of the connection {self.conn_id!r}."
            case HTTPStatus.CONFLICT if self.duplicate_id:
                return f"The profile {self.duplicate_id} already holds an identifier of this one: update or merge that profile."
            case HTTPStatus.GONE:
                return (
                    f"The API revision of the connection {self.conn_id!r} is retired, or the endpoint is: remove `revision` from the"
                    " connection's extra to use this package's own, or set one that Klaviyo still serves."
                )
            case HTTPStatus.TOO_MANY_REQUESTS:
                return "The limit stayed spent until the deadline: lower `rate_share`, or let fewer clients share the account."
        return ""

    def as_data(self) -> Json:
        """Return what a trigger emits, so that :func:`from_data` raises the same error in a worker."""
        return {**asdict(self), "kind": "api"}


def from_data(data: Json) -> KlaviyoError:
    """Rebuild the error that a trigger emitted with :meth:`KlaviyoApiError.as_data`."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    faults = tuple(Fault(**each) for each in fields.pop("faults", ()))
    return KlaviyoApiError(**{**fields, "faults": faults, "shapes": tuple(fields.get("shapes", ()))})


def refusal(request: Request[Any], status: int, answer: Json, *, conn_id: str, retry_after: float = 0.0) -> KlaviyoApiError:
    """
    Make the error of an answer.

    :param request: What was sent: values in it are taken out of Klaviyo's sentences.
    :param status: HTTP status.
    :param answer: The parsed body, ``{}`` where it was not JSON.
    :param conn_id: The Airflow connection that was used.
    :param retry_after: Seconds Klaviyo asks to wait.
    """
    raw = [each for each in answer.get("errors") or [] if isinstance(each, dict)]
    pointers = [str((each.get("source") or {}).get("pointer") or "") for each in raw]
    sent = Sent(request)
    faults = tuple(
        Fault(
            code=str(each.get("code") or ""),
            detail=redacted(str(each.get("detail") or each.get("title") or ""), sent.values(pointer)),
            pointer=pointer,
            parameter=str((each.get("source") or {}).get("parameter") or ""),
            duplicate_id=str((each.get("meta") or {}).get("duplicate_profile_id") or ""),
        )
        for each, pointer in zip(raw, pointers, strict=True)
    )
    return KlaviyoApiError(request.name, status, faults, conn_id, retry_after, tuple(map(sent.shape, pointers)))


def _sentence(fault: Fault, shape: str) -> str:
    place = fault.pointer or fault.parameter
    found = f" (found {shape})" if shape else ""
    return f"{fault.code or 'error'}{f' at {place}' if place else ''}: {fault.detail}{found}".rstrip(": ")
