"""Refusals of those who ask: who they are, what they may, how often."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import ClassVar

from serving.errors import RefusedError, ServingError

MANUAL = "docs/how-to/keys-and-roles.md"


class UnguardedRouteError(ServingError):
    """A route does not say who may ask it."""

    def __init__(self, routes: Sequence[str]) -> None:
        self.routes = tuple(routes)
        super().__init__(
            f"No permission is declared for {', '.join(routes)}. Give the router or the route "
            'dependencies=[require("...")] of serving.auth.guard, or allow_anyone() with a reason.'
        )


class LocalKeyUnreadableError(ServingError):
    """The file of this machine's key holds something else, or cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"The key of this machine cannot be read from {path}: {reason}. Move the file away and start "
            "again, which makes a new key; or name another file in BATON_LOCAL_KEY."
        )


class NotAllowedError(RefusedError):
    """The caller is known, and may not do this."""

    status, slug, title = 403, "not-allowed", "Not allowed"

    def __init__(self, permission: str, role: str | None) -> None:
        self.permission = permission
        self.role = role
        self.fix = f"Use a key of a role that has it; {MANUAL} lists them."
        super().__init__(f"The role {role or 'of nobody'} lacks the permission {permission}.")


class ForeignPageError(RefusedError):
    """A browser sent its session along with a request that another site's page made."""

    status, slug, title = 403, "foreign-page", "Request from another site's page"
    fix = "Sign in and ask from this server's own pages, or send a key."

    def __init__(self) -> None:
        super().__init__("A session is only valid for requests from this server's own pages.")


class StaleFormError(RefusedError):
    """A form came without the secret it was given out with."""

    status, slug, title = 403, "stale-form", "The form is not this session's"
    fix = "Go back, reload the page, and send the form again."

    def __init__(self) -> None:
        super().__init__("The form was not made for this session, or the session has ended.")


class TooOftenError(RefusedError):
    """More requests than one caller may make."""

    status, slug, title = 429, "too-often", "Too many requests"

    def __init__(
        self, wait_seconds: float, what: str = "This caller sends requests too often."
    ) -> None:
        self.retry_after = max(1, ceil(wait_seconds))
        self.fix = f"Wait {self.retry_after} s; send records in batches, which count once."
        super().__init__(what)


class SignInRefusedError(RefusedError):
    """E-mail address and password do not belong together, or nobody may sign in with them."""

    status, slug, title = 401, "sign-in-refused", "Not signed in"
    headers: ClassVar[dict[str, str]] = {}
    fix = "Check both; `baton users password` sets a new one."

    def __init__(self) -> None:
        super().__init__("E-mail address and password do not belong together.")


class KeyNameTakenError(ServingError):
    """A live key has the name already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is a live key named {name!r}. `baton keys rotate {name}` makes its successor; "
            "another machine should get a name of its own."
        )


class TwoKeysLiveError(ServingError):
    """Two keys of the name are live already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"Two keys named {name!r} are live: a rotation is under way. Revoke the old one "
            "(`baton keys revoke ID`) once nobody uses it."
        )


class NoSuchKeyError(ServingError):
    """No live key of that name or id."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"There is no live key {wanted!r}. `baton keys list` shows them.")


class NoSuchUserError(ServingError):
    """Nobody signs in with that address."""

    def __init__(self) -> None:
        super().__init__("Nobody has that e-mail address. `baton users list` shows them.")


class UserExistsError(ServingError):
    """Somebody has the address already."""

    def __init__(self) -> None:
        super().__init__(
            "Somebody has that e-mail address already. `baton users password` sets a new password."
        )


class WeakPasswordError(ServingError):
    """A password that can be guessed."""

    def __init__(self, fewest: int) -> None:
        super().__init__(
            f"A password needs at least {fewest} characters, and may not be the e-mail address."
        )
