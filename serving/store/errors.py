"""Refusals of the store: each carries its facts and says what to do next."""

from pathlib import Path
from typing import ClassVar

from serving.errors import RefusedError, ServingError


class EmbeddedNotStartedError(ServingError):
    """The embedded PostgreSQL does not come up."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        super().__init__(
            f"The embedded PostgreSQL in {folder} does not start ({reason}); its own words are in "
            f"{folder / 'log'}. Name a server of your own in BATON_DATABASE_URL, or set "
            "BATON_DATABASE_URL=off to serve scores only."
        )


class EmbeddedNotPrivateError(ServingError):
    """Other users of the machine could reach the embedded PostgreSQL."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        super().__init__(
            f"The embedded PostgreSQL is not opened, since others could reach it by {folder}: "
            f"{reason}. Stop every Baton that uses it, give the folder to yourself alone (chmod "
            "700), and start again."
        )


class UnsafeDurabilityError(ServingError):
    """The database may forget what it has confirmed."""

    def __init__(self, setting: str, found: str) -> None:
        self.setting = setting
        self.found = found
        super().__init__(
            f"The database runs with {setting} = {found}: it confirms what a crash may lose. Set "
            f"{setting} = on, or, where losing events is acceptable, "
            "BATON_ALLOW_UNSAFE_DURABILITY=true."
        )


class NoDatabaseError(ServingError):
    """The database that the settings name cannot be reached."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(
            f"No database answers at {where}. Start it, correct BATON_DATABASE_URL, or leave that "
            "out to use the embedded PostgreSQL."
        )


class SchemaMismatchError(ServingError):
    """The tables are not those this version of Baton works with."""

    def __init__(self, found: str | None, wanted: str) -> None:
        self.found = found
        self.wanted = wanted
        super().__init__(
            f"The database has the tables of {found or 'no version'}, this Baton works with "
            f"{wanted}. Run `baton store migrate`; if the database is newer, install that Baton."
        )


class CommitRefusedError(ServingError):
    """Somebody other than the unit of work tried to end a transaction."""

    def __init__(self) -> None:
        super().__init__(
            "One request or job is one transaction, which its unit of work ends. Leave the commit "
            "out; what must outlive a refusal belongs in a unit of work of its own."
        )


class StoreOffError(RefusedError):
    """The store is switched off, and with it everything that remembers."""

    status, slug, title = 503, "store-off", "The store is switched off"
    fix = (
        "Unset BATON_DATABASE_URL, or have it name a PostgreSQL server; POST /v1/score needs none."
    )

    def __init__(self) -> None:
        super().__init__(
            "This server runs without a store: it only scores what a request contains."
        )


class StoreUnavailableError(RefusedError):
    """The database does not answer, or not in time."""

    status, slug, title = 503, "store-unavailable", "The store does not answer"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}
    fix = "Send the same request again; with the same ids or Idempotency-Key it is stored once."

    def __init__(self, problem: str = "did not answer in time") -> None:
        super().__init__(f"The database {problem}. Nothing of the request was stored.")


class StoreFullError(StoreUnavailableError):
    """The database has no room for what is sent: on its disk, in its memory, among its connections."""

    status, slug, title = 503, "store-full", "The store is full"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}
    fix = "Somebody has to make room; send the same request again then: with the same ids it is stored once."

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"has no {what} left")


class StoreNotEmptyError(ServingError):
    """A history is to be loaded into a store that holds leads already."""

    def __init__(self) -> None:
        super().__init__(
            "The store holds leads already, and a history is loaded into an empty one only. Send "
            "further records to POST /v1/leads and /v1/events, or name an empty database."
        )


class BackupFailedError(ServingError):
    """A backup could not be written, or not be put back."""

    def __init__(self, program: str, last_words: list[str]) -> None:
        self.program = program
        last_line = last_words[0] if last_words else "it did not say why"
        super().__init__(
            f"{program} failed: {last_line}. Nothing was changed; see docs/how-to/back-up-and-restore.md."
        )
