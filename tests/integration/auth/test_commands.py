"""The commands of those who sit at the machine: keys, people, the audit log, erasure."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from baton.command_line import app
from features import clock
from serving.auth.keys import find_key
from serving.auth.users import sign_in
from serving.store.session import Store
from tests.integration.auth.factories import EMAIL, PASSWORD


@pytest.fixture
def run(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch):
    """Run a command on the test's database."""
    monkeypatch.setenv("BATON_DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("BATON_ALLOW_UNSAFE_DURABILITY", "true")

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=typed)

    return run


def find_live(store: Store, secret: str) -> bool:
    with store.work() as work:
        return find_key(work, secret, clock.now()) is not None


def test_a_key_is_made_listed_rotated_and_revoked(run, store: Store) -> None:
    made = run("keys", "create", "hubspot", "--role", "crm", "--expires-in-days", "30")
    old = made.stdout.split()[0]
    again = run("keys", "create", "hubspot", "--role", "crm")
    rotated = run("keys", "rotate", "hubspot")
    new = rotated.stdout.split()[0]
    assert re.search(r"The new one expires: \d{4}-\d\d-\d\d", rotated.output)

    assert made.stdout == f"{old}\n"  # so that a shell can keep it in a variable
    assert find_live(store, old)
    assert find_live(store, new)
    assert again.exit_code == 2
    assert "baton keys rotate hubspot" in again.output
    listed = run("keys", "list").output
    assert listed.count("live") == 2
    assert old not in listed
    key_id = old.split("_")[1]
    assert run("keys", "revoke", key_id).exit_code == 0
    assert not find_live(store, old)
    assert run("keys", "revoke", key_id).exit_code == 2
    assert "revoked" in run("keys", "list").output


def test_somebody_is_let_in_and_out(run, store: Store) -> None:
    person = ("users", "add", EMAIL, "--role", "sales", "--password-stdin")
    assert run(*person, typed="short\n").exit_code == 2
    assert run(*person, typed=f"{PASSWORD}\n").exit_code == 0
    assert run(*person, typed=f"{PASSWORD}\n").exit_code == 2
    assert re.search(rf"{EMAIL} +sales .* may sign in", run("users", "list").output)
    assert run("users", "disable", EMAIL).exit_code == 0
    assert "disabled" in run("users", "list").output
    assert run("users", "disable", "bob@example.com").exit_code == 2

    new = "another horse battery"
    assert run("users", "password", EMAIL, typed=f"{new}\n{new}\n").exit_code == 0
    assert sign_in(store, EMAIL, new, clock.now(), timedelta(hours=1))


def test_the_audit_log_is_read_and_checked(run, store: Store) -> None:
    run("keys", "create", "hubspot", "--role", "crm")
    run("leads", "erase", EMAIL)

    tail = run("audit-log", "tail").output
    whole = run("audit-log", "verify")
    head = whole.output.split()[-1]

    assert [line.split()[4] for line in tail.splitlines()] == ["created", "erased"]
    assert EMAIL not in tail
    assert whole.exit_code == 0
    assert run("audit-log", "verify", "--head", head).exit_code == 0
    assert run("audit-log", "verify", "--head", "no hash").exit_code == 2
    with store.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit_entry SET action = 'kept' WHERE entry_number = 2"))
    broken = run("audit-log", "verify")
    assert broken.exit_code == 4
    assert "Entry 2" in broken.output


def test_what_is_held_on_a_person_is_written_to_a_file_of_ones_own(
    run, store: Store, tmp_path: Path
) -> None:
    to = tmp_path / "ann.json"
    assert run("leads", "export", "ann", "--to", str(to)).exit_code == 2
    with store.work() as work:
        work.execute("INSERT INTO lead VALUES ('ann', now(), now())")

    assert run("leads", "export", "ann", "--to", str(to)).exit_code == 0
    assert json.loads(to.read_text())["held"]["lead"][0]["lead_id"] == "ann"
    assert to.stat().st_mode & 0o777 == 0o600
    assert "1 lead(s), 1 rows" in run("leads", "erase", "ann").output
    assert "may come in again" in run("leads", "readmit", "ann").output
    assert "Nobody" in run("leads", "readmit", "ann").output
