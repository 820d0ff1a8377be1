"""Sessions of people: a random token in a cookie, of which only a hash is kept."""

import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select, update

from serving.auth.principals import Principal, build_principal
from serving.auth.roles import Role
from serving.store.session import UnitOfWork
from serving.store.tables import Person, SignIn

COOKIE = "baton_session"
TOKEN_BYTES = 32

KEPT = timedelta(days=30)
"""How long an ended session is kept: to answer who was signed in when."""


def draw_token() -> str:
    """Draw a session's token."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """Hash a session's token, as it is kept."""
    return sha256(token.encode()).digest()


def sign_form(token: str) -> str:
    """Make the secret that forms of a session carry; who knows the token alone can make it."""
    return hmac.new(token.encode(), b"form", sha256).hexdigest()


def start_session(work: UnitOfWork, person_id: str, at: datetime, lasts: timedelta) -> str:
    """Start a session, and give its token."""
    token = draw_token()
    work.session.execute(
        delete(SignIn).where(SignIn.person_id == person_id, SignIn.expires_at < at - KEPT)
    )
    work.session.add(
        SignIn(
            token_hash=hash_token(token), person_id=person_id, created_at=at, expires_at=at + lasts
        )
    )
    work.session.flush()
    return token


def find_person(work: UnitOfWork, token: str, at: datetime) -> Principal | None:
    """Find whose session it is; None if it has ended, or its person may not sign in any more."""
    asked = (
        select(Person)
        .join(SignIn, SignIn.person_id == Person.person_id)
        .where(
            SignIn.token_hash == hash_token(token),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > at,
            Person.disabled_at.is_(None),
        )
    )
    person = work.session.scalars(asked).one_or_none()
    if person is None:
        return None
    role = Role(person.role)
    return build_principal("person", person.person_id, person.name, role, sign_form(token))


def end_session(work: UnitOfWork, token: str, at: datetime) -> None:
    """End a session."""
    work.session.execute(
        update(SignIn)
        .where(SignIn.token_hash == hash_token(token), SignIn.ended_at.is_(None))
        .values(ended_at=at)
    )


def end_all_sessions(work: UnitOfWork, person_id: str, at: datetime) -> None:
    """End every session of a person."""
    work.session.execute(
        update(SignIn)
        .where(SignIn.person_id == person_id, SignIn.ended_at.is_(None))
        .values(ended_at=at)
    )
