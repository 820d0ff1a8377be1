"""Refusals of the serving floor: each carries its facts, its HTTP status and what to do next."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


class ServingError(Exception):
    """Root of what the serving floor refuses."""


class ExposedWithoutTokenError(ServingError):
    """The server would be open to the network, and nobody could have a key to it."""

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(
            f"Refusing to listen on {host} without a token and without a store for keys: "
            "callers could not be told apart. Set BATON_API_TOKEN to a secret of at least 16 "
            "characters, switch the store on, or listen on 127.0.0.1."
        )


class PortTakenError(ServingError):
    """The address to listen on cannot be had."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"Cannot listen on {host}:{port} ({reason}). Stop what uses it, or choose another "
            f"port: baton serve --port {port + 1}."
        )


class DriftReportError(ServingError):
    """Evidently could not make its report."""

    def __init__(self, reason: str, log: Path) -> None:
        self.reason = reason
        self.log = log
        super().__init__(f"Evidently made no report: {reason}. Its own words are in {log}.")


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field of a payload."""

    path: str
    """Where, e.g. ``events[2].occurred_at``."""
    problem: str
    """What is wrong."""
    fix: str
    """What to send instead."""


class RefusedError(ServingError):
    """A request that is answered with a problem."""

    status: ClassVar[int]
    slug: ClassVar[str]
    """Last part of the problem's type."""
    title: ClassVar[str]
    fix: str = ""
    """What the caller can do."""
    headers: ClassVar[dict[str, str]] = {}
    retry_after: int | None = None
    """Whole seconds to wait before asking again, where that depends on the request."""
    errors: tuple[FieldProblem, ...] = ()


class NoChampionError(RefusedError):
    """There is no model to score with."""

    status, slug, title = 503, "no-model", "No model is served yet"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        self.fix = "Train a model with `baton train`; the server loads it by itself."
        super().__init__(f"No model can be served from {folder}: {reason}")


class NoTimingError(RefusedError):
    """The model in use says nothing of the best moment."""

    status, slug, title = 404, "no-timing", "The model has no timing"
    fix = (
        "Train on a history with at least 600 handoffs that came to an end, 150 of them as an SQL "
        "(`baton train --timing`); the server loads it by itself."
    )

    def __init__(self, model: str, version: str) -> None:
        self.model = model
        self.version = version
        super().__init__(f"{model} {version} was trained without the best moment to hand off.")


class NotReadyError(RefusedError):
    """Something the server needs for its work is missing."""

    status, slug, title = 503, "not-ready", "Not ready"
    fix = "See `checks`: train a model with `baton train`, or make the log's folder writable."

    def __init__(self) -> None:
        super().__init__("The server is running, but is not ready to serve.")


class TokenRefusedError(RefusedError):
    """The caller did not say who they are, or not rightly."""

    status, slug, title = 401, "token-refused", "Key missing or wrong"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}
    fix = (
        "Send the header `Authorization: Bearer <key>`: a key that `baton keys create` made, the "
        "token of BATON_API_TOKEN or, on the machine itself, what is in var/local.key."
    )

    def __init__(self, *, sent: bool) -> None:
        self.sent = sent
        super().__init__("The key is unknown, revoked or expired." if sent else "No key was sent.")


class HostRefusedError(RefusedError):
    """The server was addressed under a name that is not its own."""

    status, slug, title = 403, "host-refused", "Host name not allowed"

    def __init__(self, host: str) -> None:
        self.host = host
        self.fix = (
            "Use http://127.0.0.1 or http://localhost, or name the host in BATON_ALLOWED_HOSTS, "
            "or protect the server with BATON_API_TOKEN."
        )
        super().__init__(
            "A server without token answers only under the names of its own machine, so that no "
            "web page can reach it through a borrowed name."
        )


class BodyTooLargeError(RefusedError):
    """More bytes than one request may bring."""

    status, slug, title = 413, "body-too-large", "Request body too large"

    def __init__(self, most_bytes: int, *, may_be_raised: bool = True) -> None:
        self.most_bytes = most_bytes
        self.fix = (
            "Send fewer leads per request, or raise BATON_MAX_BODY_BYTES."
            if may_be_raised
            else "Send less: nothing that this address takes is as long."
        )
        super().__init__(f"A request body may have at most {most_bytes:,} bytes.")


class BatchTooLargeError(RefusedError):
    """More leads than one batch may bring."""

    status, slug, title = 413, "batch-too-large", "Batch too large"

    def __init__(self, n_leads: int, most: int) -> None:
        self.n_leads = n_leads
        self.most = most
        self.fix = f"Split the batch into parts of at most {most:,} leads."
        super().__init__(f"The batch has {n_leads:,} leads; at most {most:,} are allowed.")


class NotJsonError(RefusedError):
    """A body in a form the API does not read."""

    status, slug, title = 415, "not-json", "Body is not declared as JSON"

    def __init__(self, found: str) -> None:
        self.found = found
        self.fix = "Send JSON, uncompressed, with the header `Content-Type: application/json`."
        super().__init__(f"The request declares {found}.")


class InvalidBodyError(RefusedError):
    """A payload whose fields are not as agreed."""

    status, slug, title = 422, "invalid-body", "The payload is not valid"
    fix = "Correct the fields listed under `errors` and send it again."

    def __init__(self, errors: tuple[FieldProblem, ...]) -> None:
        self.errors = errors
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        where = f"{first.path}: " if first.path else ""
        super().__init__(f"{where}{first.problem}{more}")


class AsOfBeforeCreationError(RefusedError):
    """The moment of looking lies before the lead existed."""

    status, slug, title = 422, "as-of-before-creation", "The moment is before the lead's creation"

    def __init__(self, created_at: str, as_of: str) -> None:
        self.fix = (
            "Give an `as_of` after `created_at`, or leave it out to score the lead as of now."
        )
        self.errors = (
            FieldProblem("as_of", f"{as_of} lies before created_at {created_at}", self.fix),
        )
        super().__init__(f"The lead was created at {created_at}, after the moment {as_of}.")


class TooManyEventsError(RefusedError):
    """More records than one lead may bring."""

    status, slug, title = 422, "too-many-events", "Too many events for one lead"

    def __init__(self, field: str, found: int, most: int) -> None:
        self.fix = "Leave out the oldest ones, or raise BATON_MAX_EVENTS."
        self.errors = (FieldProblem(field, f"{found:,} entries, at most {most:,}", self.fix),)
        super().__init__(f"The lead has {found:,} {field}; at most {most:,} are allowed.")


class NotFoundError(RefusedError):
    """Nothing lives at this address."""

    status, slug, title = 404, "not-found", "Not found"
    fix = "GET /docs lists what there is."

    def __init__(self, what: str) -> None:
        super().__init__(what)
