"""Who may ask, who signed in, and who did what."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from serving.store.tables.base import Base, Number


class ApiKey(Base):
    """A key of a machine: only a hash of its secret is kept."""

    __tablename__ = "api_key"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    secret_hash: Mapped[bytes]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Person(Base):
    """Somebody who signs in."""

    __tablename__ = "person"

    person_id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    password_hash: Mapped[str | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SignIn(Base):
    """A session of a person: only a hash of its token is kept."""

    __tablename__ = "sign_in"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(
        ForeignKey("person.person_id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class SignInFailure(Base):
    """Tries to sign in that failed in a row, by a hash of the address: others' are counted too."""

    __tablename__ = "sign_in_failure"

    email_hash: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    failed_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what to what, chained by hashes; a trigger refuses to change or delete any."""

    __tablename__ = "audit_entry"

    entry_number: Mapped[Number]
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[str | None]
    """A reference, never personal data: entries outlive whoever is erased."""
    facts: Mapped[dict[str, Any]]
    previous_hash: Mapped[bytes]
    entry_hash: Mapped[bytes] = mapped_column(unique=True)
