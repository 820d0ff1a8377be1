"""People: who may sign in, and what happens when they try."""

from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_hex

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from serving.auth.errors import (
    NoSuchUserError,
    SignInRefusedError,
    TooOftenError,
    UserExistsError,
)
from serving.auth.passwords import check_strength, hash_password, is_password
from serving.auth.roles import Role
from serving.auth.sessions import end_all_sessions, start_session
from serving.store.audit_log import note
from serving.store.session import Store, UnitOfWork
from serving.store.tables import Person, SignInFailure

FREE_TRIES = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
"""Not for good: whoever wants to lock a colleague out could do so by guessing wrong."""

FORGOTTEN_AFTER = timedelta(days=1)


def clean_email(email: str) -> str:
    """Write an address the one way it is kept."""
    return email.strip().lower()


def wait_after(failures: int) -> timedelta:
    """Tell how long nobody may try after so many failures in a row.

    >>> [wait_after(n).total_seconds() for n in (4, 5, 6, 99)]
    [0.0, 30.0, 60.0, 900.0]
    """
    if failures < FREE_TRIES:
        return timedelta(0)
    doubled: timedelta = FIRST_WAIT * 2 ** min(failures - FREE_TRIES, 10)
    return min(doubled, LONGEST_WAIT)


def list_users(work: UnitOfWork) -> list[Person]:
    """List everybody who signs in, or did."""
    return list(work.session.scalars(select(Person).order_by(Person.email)))


def get_person(work: UnitOfWork, email: str) -> Person:
    """Get somebody by address.

    Raises
    ------
    NoSuchUserError
        If nobody has it.
    """
    found = work.session.scalars(select(Person).where(Person.email == clean_email(email)))
    person = found.one_or_none()
    if person is None:
        raise NoSuchUserError
    return person


def add_person(
    work: UnitOfWork, email: str, name: str, role: Role, password: str, at: datetime
) -> Person:
    """Let somebody sign in.

    Raises
    ------
    UserExistsError
        If somebody has the address.
    WeakPasswordError
        If the password can be guessed.
    """
    check_strength(password, email)
    address = clean_email(email)
    if work.session.scalars(select(Person).where(Person.email == address)).first() is not None:
        raise UserExistsError
    person = Person(
        person_id=token_hex(6),
        email=address,
        name=name,
        role=role.value,
        password_hash=hash_password(password),
        created_at=at,
    )
    work.session.add(person)
    work.session.flush()
    return person


def set_password(work: UnitOfWork, email: str, password: str, at: datetime) -> Person:
    """Set a new password; whoever is signed in with the old one no longer is.

    Raises
    ------
    NoSuchUserError
        If nobody has the address.
    WeakPasswordError
        If the password can be guessed.
    """
    person = get_person(work, email)
    check_strength(password, email)
    person.password_hash = hash_password(password)
    person.disabled_at = None
    end_all_sessions(work, person.person_id, at)
    _forgive(work, email)
    work.session.flush()
    return person


def disable_person(work: UnitOfWork, email: str, at: datetime) -> Person:
    """Let somebody sign in no more, and end the sessions there are.

    Raises
    ------
    NoSuchUserError
        If nobody has the address.
    """
    person = get_person(work, email)
    person.disabled_at = at
    end_all_sessions(work, person.person_id, at)
    work.session.flush()
    return person


def _hash_email(email: str) -> bytes:
    return sha256(clean_email(email).encode()).digest()


def _forgive(work: UnitOfWork, email: str) -> None:
    work.session.execute(
        delete(SignInFailure).where(SignInFailure.email_hash == _hash_email(email))
    )


def _count_try(work: UnitOfWork, email: str, at: datetime) -> timedelta:
    """Count a try as failed before it is looked at; tell how long to wait if it comes too soon.

    Counted first, so that many tries at once are not one. An address that nobody has is counted
    alike: the answer must not tell who is known here.
    """
    hashed = _hash_email(email)
    work.session.execute(
        insert(SignInFailure)
        .values(email_hash=hashed, failures=0, failed_at=at)
        .on_conflict_do_nothing()
    )
    kept = work.session.scalars(
        select(SignInFailure).where(SignInFailure.email_hash == hashed).with_for_update()
    ).one()
    if at - kept.failed_at > FORGOTTEN_AFTER:
        kept.failures = 0
    wait = kept.failed_at + wait_after(kept.failures) - at
    if kept.failures and wait > timedelta(0):
        return wait
    kept.failures += 1
    kept.failed_at = at
    if wait_after(kept.failures):
        note(
            work,
            by="anyone",
            action="failed to sign in",
            subject_kind="address",
            subject_id=hashed.hex(),
            at=at,
            facts={"failures": kept.failures},
        )
    return timedelta(0)


def sign_in(store: Store, email: str, password: str, at: datetime, lasts: timedelta) -> str:
    """Sign somebody in, and give their session's token; takes a tenth of a second.

    Raises
    ------
    SignInRefusedError
        If address and password do not belong together, or the person was disabled.
    TooOftenError
        If they failed too often lately.
    """
    with store.work() as work:
        wait = _count_try(work, email, at)
        asked = select(Person).where(
            Person.email == clean_email(email), Person.disabled_at.is_(None)
        )
        person = work.session.scalars(asked).one_or_none()
    if wait:
        raise TooOftenError(wait.total_seconds(), "Too many failed tries to sign in.")
    if not is_password(person.password_hash if person else None, password) or person is None:
        raise SignInRefusedError
    with store.work() as work:
        _forgive(work, email)
        token = start_session(work, person.person_id, at, lasts)
        actor = f"person:{person.person_id}"
        note(work, by=actor, action="signed in", subject_kind="person", at=at)
    return token
