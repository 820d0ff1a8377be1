"""Passwords of people, by argon2id: slow and hungry on purpose."""

from functools import cache
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from serving.auth.errors import WeakPasswordError

FEWEST_CHARACTERS = 12
MOST_CHARACTERS = 1_000
"""Longer ones are refused unread: hashing them would be work for nothing."""

_hasher = PasswordHasher()


@cache
def _nobodys() -> str:
    """Give what is compared with where nobody is known: the time taken does not tell who is."""
    return _hasher.hash(token_urlsafe(32))


def check_strength(password: str, email: str) -> None:
    """Check that a password cannot be guessed at once.

    Raises
    ------
    WeakPasswordError
        If it can.
    """
    too_short = len(password) < FEWEST_CHARACTERS or len(password) > MOST_CHARACTERS
    if too_short or password.strip().lower() == email.strip().lower():
        raise WeakPasswordError(FEWEST_CHARACTERS)


def hash_password(password: str) -> str:
    """Hash a password, as it is kept; takes a tenth of a second."""
    return _hasher.hash(password)


def is_password(kept: str | None, password: str) -> bool:
    """Tell whether a password is the one that was kept; takes as long for nobody's."""
    if len(password) > MOST_CHARACTERS:
        return False
    try:
        _hasher.verify(kept or _nobodys(), password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return kept is not None
