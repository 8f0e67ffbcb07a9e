# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, each with a sentence that says what to do. No message holds a key, a value or a person."""

from __future__ import annotations

from collections.abc import Sequence
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


class KlaviyoSignatureError(KlaviyoError):
    """
    What came as a webhook is not one that Klaviyo has sent just now: nothing in it is to be believed.

    :param check: What it failed: ``headers``, ``signature`` or ``age``.
    :param reason: A sentence; it holds nothing of the secret or the body.
    """

    def __init__(self, check: str, reason: str) -> None:
        self.check, self.reason = check, reason
        super().__init__(f"not a webhook that Klaviyo has sent just now: {reason}")


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
    :param oauth: Whether the connection's credentials are those of an OAuth app.
    """

    operation: str
    status: int
    faults: tuple[Fault, ...] = ()
    conn_id: str = ""
    retry_after: float = 0.0
    shapes: tuple[str, ...] = field(default=())
    oauth: bool = False

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
        return " ".join(filter(None, [f"{self.operation} answered {self.status}.", listed(self.faults, self.shapes), self._advice()]))

    def _advice(self) -> str:
        """Say what to do about it."""
        method, _, path = self.operation.partition(" ")
        match self.status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN if path.startswith("/client/"):
                return (
                    f"Klaviyo does not take the company_id: the extra `public_key` of the connection {self.conn_id!r} must be the account's"
                    " six-character company id (Klaviyo: Settings, API keys)."
                )
            case HTTPStatus.UNAUTHORIZED if self.oauth:
                return (
                    f"Klaviyo does not take the token of the connection {self.conn_id!r}, though it was just renewed. Reconnect: authorise"
                    f" the app again, and put the new refresh_token in the extra of the connection {self.conn_id!r}."
                )
            case HTTPStatus.UNAUTHORIZED:
                return (
                    f"Klaviyo does not know the key of the connection {self.conn_id!r}: its password must be a private API key"
                    " of this account, which begins with pk_ (Klaviyo: Settings, API keys)."
                )
            case HTTPStatus.FORBIDDEN:
                return self._forbidden(method, path)
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

    def _forbidden(self, method: str, path: str) -> str:
        if path.startswith("/api/webhook") and any("KDP" in fault.detail for fault in self.faults):
            return "Webhooks are for OAuth apps, and for accounts that have Klaviyo's Advanced KDP: use a connection with OAuth."
        known = limits.find(method, path)
        need = f"the scopes {', '.join(known.scopes)}" if known and known.scopes else "the scope of this endpoint"
        if self.oauth:
            return (
                f"The app of the connection {self.conn_id!r} needs {need}: add what is missing to the app's scopes, authorise it again,"
                " and put the new refresh_token in the connection's extra."
            )
        return f"The key of the connection {self.conn_id!r} needs {need}; a key's scopes are fixed when it is made, so make a new one."

    def as_data(self) -> Json:
        """Return what a trigger emits, so that :func:`from_data` raises the same error in a worker."""
        return {**asdict(self), "kind": "api"}


def from_data(data: Json) -> KlaviyoError:
    """Rebuild the error that a trigger emitted with :meth:`KlaviyoApiError.as_data`."""
    fields = {key: value for key, value in data.items() if key != "kind"}
    faults = tuple(Fault(**each) for each in fields.pop("faults", ()))
    return KlaviyoApiError(**{**fields, "faults": faults, "shapes": tuple(fields.get("shapes", ()))})


def refusal(
    request: Request[Any], status: int, answer: Json, *, conn_id: str, retry_after: float = 0.0, oauth: bool = False
) -> KlaviyoApiError:
    """
    Make the error of an answer.

    :param request: What was sent: values in it are taken out of Klaviyo's sentences.
    :param status: HTTP status.
    :param answer: The parsed body, ``{}`` where it was not JSON.
    :param conn_id: The Airflow connection that was used.
    :param retry_after: Seconds Klaviyo asks to wait.
    :param oauth: Whether the connection's credentials are those of an OAuth app.
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
    return KlaviyoApiError(request.name, status, faults, conn_id, retry_after, tuple(map(sent.shape, pointers)), oauth)


def listed(faults: Sequence[Fault], shapes: Sequence[str] = ()) -> str:
    """
    Say what is wrong: the first few faults, and how many more there are.

    :param faults: The faults.
    :param shapes: What stood at the pointer of each, as far as it is known.
    """
    said = "; ".join(_sentence(fault, shape) for fault, shape in zip(faults[:SHOWN], (*shapes, *[""] * len(faults)), strict=False))
    return f"{said}; and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else said


def _sentence(fault: Fault, shape: str) -> str:
    place = fault.pointer or fault.parameter
    found = f" (found {shape})" if shape else ""
    return f"{fault.code or 'error'}{f' at {place}' if place else ''}: {fault.detail}{found}".rstrip(": ")
