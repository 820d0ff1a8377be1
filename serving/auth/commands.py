"""``baton keys`` and ``baton users``: who may ask, decided at the machine itself."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from features import clock
from features.terminal.columns import align
from features.terminal.numbers import MOST_DAYS, check_finite
from serving.auth.keys import create_key, list_keys, revoke_key, rotate_key
from serving.auth.roles import Role
from serving.auth.users import add_person, disable_person, list_users, set_password
from serving.settings import ServingSettings
from serving.store.audit_log import note
from serving.store.opening import open_store
from serving.web_api.logs import keep_quiet

ACTOR = "command"
"""How the audit log names whoever works at the machine itself."""

Days = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=MOST_DAYS,
        callback=check_finite,
        help="Days until it expires; of a new key never, of a successor as long as its forerunner.",
    ),
]


def _format_day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _end(at: datetime, days: float | None) -> datetime | None:
    return None if days is None else at + timedelta(days=days)


def create_key_command(
    name: Annotated[str, typer.Argument(help="What it is for, e.g. hubspot.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    expires_in_days: Days = None,
) -> None:
    """Make a key; it is shown once, and only a hash of it is kept."""
    at = clock.now()
    with open_store(ServingSettings()) as store, store.work() as work:
        made = create_key(work, name, role, _end(at, expires_in_days), by=ACTOR, at=at)
        note(
            work,
            by=ACTOR,
            action="created",
            subject_kind="key",
            subject_id=made.key_id,
            at=at,
            facts={"role": role.value},
        )
    typer.echo(made.secret)
    typer.echo(
        f"Key {made.key_id} ({name}, {role.value}); send it as `Authorization: Bearer ...`. "
        "It is not shown again.",
        err=True,
    )


def list_keys_command() -> None:
    """List the keys: id, name, role, expiry, and about when each was last used."""
    at = clock.now()
    with open_store(ServingSettings()) as store, store.work(read_only=True) as work:
        keys = list_keys(work)
    rows = [["id", "name", "role", "expires", "last used", "state"]]
    for key in keys:
        state = "live"
        if key.expires_at is not None and key.expires_at <= at:
            state = "expired"
        if key.revoked_at is not None:
            state = "revoked"
        expires, used = _format_day(key.expires_at), _format_day(key.last_used_at)
        rows.append([key.key_id, key.name, key.role, expires, used, state])
    typer.echo("\n".join(align(rows)))


def revoke_key_command(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `baton keys list` shows it.")],
) -> None:
    """Revoke a key: it is refused from then on, within seconds on every replica."""
    at = clock.now()
    with open_store(ServingSettings()) as store, store.work() as work:
        key = revoke_key(work, key_id, at)
        note(work, by=ACTOR, action="revoked", subject_kind="key", subject_id=key_id, at=at)
        name = key.name
    typer.echo(f"Key {key_id} ({name}) is revoked.")


def rotate_key_command(
    name: Annotated[str, typer.Argument(help="Name of the key.")],
    overlap_days: Annotated[
        float,
        typer.Option(
            min=0,
            max=MOST_DAYS,
            callback=check_finite,
            help="Days the old key still works beside the new one.",
        ),
    ] = 7.0,
    expires_in_days: Days = None,
) -> None:
    """Make a key's successor; both work until the old one expires."""
    at, overlap = clock.now(), timedelta(days=overlap_days)
    with open_store(ServingSettings()) as store, store.work() as work:
        made, old = rotate_key(work, name, _end(at, expires_in_days), overlap, by=ACTOR, at=at)
        note(
            work,
            by=ACTOR,
            action="rotated",
            subject_kind="key",
            subject_id=made.key_id,
            at=at,
            facts={"from": old.key_id},
        )
        ends_at = old.expires_at
    typer.echo(made.secret)
    typer.echo(
        f"Key {made.key_id} follows {old.key_id}, which works until {_format_day(ends_at)} UTC. "
        f"The new one expires: {_format_day(made.expires_at) if made.expires_at else 'never'}.",
        err=True,
    )


Email = Annotated[str, typer.Argument(help="E-mail address.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the standard input.")
]


def _ask_password(*, from_input: bool) -> str:
    if from_input:
        return typer.get_text_stream("stdin").readline().rstrip("\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def add_user_command(
    email: Email,
    role: Annotated[Role, typer.Option(help="What they may do.")],
    name: Annotated[str, typer.Option(help="As colleagues call them.")] = "",
    password_stdin: FromInput = False,
) -> None:
    """Add a user who may sign in."""
    at, password = clock.now(), _ask_password(from_input=password_stdin)
    with open_store(ServingSettings()) as store, store.work() as work:
        person = add_person(work, email, name or email.partition("@")[0], role, password, at)
        note(
            work,
            by=ACTOR,
            action="added",
            subject_kind="person",
            subject_id=person.person_id,
            at=at,
            facts={"role": role.value},
        )
    typer.echo(f"{email} may sign in as {role.value}.")


def set_password_command(email: Email, password_stdin: FromInput = False) -> None:
    """Set a user's new password, enable them again, end their sessions."""
    at, password = clock.now(), _ask_password(from_input=password_stdin)
    with open_store(ServingSettings()) as store, store.work() as work:
        person = set_password(work, email, password, at)
        note(
            work,
            by=ACTOR,
            action="given a password",
            subject_kind="person",
            subject_id=person.person_id,
            at=at,
        )
    typer.echo(f"{email} has a new password.")


def disable_user_command(email: Email) -> None:
    """Disable a user, and end their sessions."""
    at = clock.now()
    with open_store(ServingSettings()) as store, store.work() as work:
        person = disable_person(work, email, at)
        note(
            work,
            by=ACTOR,
            action="disabled",
            subject_kind="person",
            subject_id=person.person_id,
            at=at,
        )
    typer.echo(f"{email} may not sign in any more.")


def list_users_command() -> None:
    """List the users."""
    with open_store(ServingSettings()) as store, store.work(read_only=True) as work:
        users = list_users(work)
    rows = [["e-mail", "role", "id", "state"]]
    for person in users:
        state = "disabled" if person.disabled_at is not None else "may sign in"
        rows.append([person.email, person.role, person.person_id, state])
    typer.echo("\n".join(align(rows)))


keys_app = typer.Typer(
    help="Keys of machines that ask.", no_args_is_help=True, callback=keep_quiet
)
keys_app.command("create")(create_key_command)
keys_app.command("list")(list_keys_command)
keys_app.command("rotate")(rotate_key_command)
keys_app.command("revoke")(revoke_key_command)

users_app = typer.Typer(help="People who sign in.", no_args_is_help=True, callback=keep_quiet)
users_app.command("add")(add_user_command)
users_app.command("list")(list_users_command)
users_app.command("password")(set_password_command)
users_app.command("disable")(disable_user_command)
