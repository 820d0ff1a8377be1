"""A person is erased everywhere, stays erased, and is given all that is held on them before."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from features import clock
from serving.auth.roles import Role
from serving.intake.envelope import open_envelope
from serving.intake.service import Intake, take_in
from serving.privacy.erase import erase, readmit
from serving.privacy.inventory import INVENTORY
from serving.store.session import Store, UnitOfWork
from serving.store.tables import Base
from serving.store.tombstones import find_erased, find_erased_names
from tests.integration.auth.factories import bearer, make_app, make_key
from tests.unit.serving.factories import make_catalog, post_json, running_app

NOW = clock.now().replace(microsecond=0) - timedelta(days=1)
ANN = "ann.smith+x@example.com"
OLD = "lead-1042"
MAIL = "ann@work.example"
BOB = "lead-10421"
CATALOG = make_catalog()


def moment(days: float) -> str:
    return (NOW + timedelta(days=days)).isoformat()


def send(store: Store, record: Any, *items: dict[str, Any]) -> list[str]:
    body = json.dumps({f"{record}s": items}).encode()
    intake = Intake(CATALOG.taxonomy, CATALOG, NOW)
    landed = store.run(lambda w: take_in(w, record, open_envelope(record, body, 100), intake))
    return [result.status for result in landed.results]


def fill(store: Store, lead_id: str) -> None:
    """Have something of a lead land in every table of the intake."""
    send(store, "lead", {"lead_id": lead_id, "account_id": "acme", "attributes": {"employees": 5}})
    event = {"lead_id": lead_id, "event_id": f"e-{lead_id}", "name": "page_view"}
    assert send(store, "event", {**event, "occurred_at": moment(-1)}) == ["landed"]
    assert send(store, "event", {**event, "event_id": "e2", "occurred_at": "soon"}) == [
        "quarantined"
    ]
    send(store, "stage", {"lead_id": lead_id, "stage": "mql", "at": moment(-1)})
    send(store, "attempt", {"lead_id": lead_id, "channel": "call", "at": moment(-1)})
    with store.work() as work:
        work.execute(
            "WITH s AS (INSERT INTO score (lead_id, contract, as_of, scored_at, because, model_version,"
            " status, answer) VALUES (%(id)s, 'sql', %(at)s, %(at)s, 'event', 'v1', 'scored',"
            " %(answer)s) RETURNING score_number) INSERT INTO scored_row (score_number, model_version,"
            " scored_at, is_scored, features) SELECT score_number, 'v1', %(at)s, true, %(row)s FROM s",
            {
                "id": lead_id,
                "at": NOW,
                "answer": json.dumps({"lead_id": lead_id}).encode(),
                "row": lead_id.encode(),
            },
        )
        work.execute(
            "INSERT INTO quarantined_item (source, record, body, body_hash, problem, received_at)"
            " VALUES ('api', 'event', %(body)s, %(body)s, '{}', %(at)s)",
            {"body": f"not JSON, of {lead_id}.".encode(), "at": NOW},
        )
        work.execute(
            "INSERT INTO idempotency_key (scope, key, body_hash, status, media_type, answer,"
            " answered_at, expires_at) VALUES ('key:1 PUT /v1/leads', %(id)s, '', 200, 'json',"
            " %(answer)s, %(at)s, %(at)s)",
            {"id": lead_id, "at": NOW, "answer": json.dumps([lead_id]).encode()},
        )
        work.enqueue_effect(f"handoff:{lead_id}", "webhook", {"lead": lead_id}, NOW, lead_id)
        work.enqueue_effect(f"digest:{lead_id}", "mail", {"leads": ["x", lead_id]}, NOW)
        work.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
            " VALUES ('default', 'push', %(args)s)",
            {"args": json.dumps({"lead": lead_id})},
        )
        fill_handoff(work, lead_id)


def fill_handoff(work: UnitOfWork, lead_id: str) -> None:
    """Have the lead handed over, with a trace of it in every table that hangs on that."""
    record = {"id": lead_id, "at": NOW}
    work.execute(
        "WITH h AS (INSERT INTO handoff (lead_id, cycle, state, since, trigger, because,"
        " playbook_version, decided_at, packet, definition, segments, priority) VALUES (%(id)s, 1,"
        " 'queued', %(at)s, 'score', '', 'v1', %(at)s, '{}', '{}', '[]', 'normal')"
        " RETURNING handoff_id), m AS (INSERT INTO handoff_move (handoff_id, at, origin, state,"
        " signal, by, note, facts) SELECT handoff_id, %(at)s, 'decided', 'queued', 'hand_over',"
        " 'rule', %(id)s, '{}' FROM h), a AS (INSERT INTO assignment (handoff_id, seller_id, at,"
        " because, by) SELECT handoff_id, 'ann', %(at)s, %(id)s, 'rule' FROM h), k AS (INSERT INTO"
        " clock_action SELECT handoff_id, 'answer', %(at)s, 'remind', %(at)s, %(id)s FROM h), d AS ("
        "INSERT INTO decision (lead_id, at, verdict, because, triggers, suppressions,"
        " playbook_version, by) VALUES (%(id)s, %(at)s, 'keep', '', '[]', '[]', 'v1', 'rule')),"
        " n AS (INSERT INTO nurture_track VALUES (%(id)s, 'review', %(at)s, NULL, '', NULL)),"
        " c AS (INSERT INTO oversight_case (handoff_id, month, ruling, because, stratum, weight,"
        " drawn_at, due_at) SELECT handoff_id, '2026-07-01', 'met', %(id)s, '[]', 1, %(at)s, %(at)s"
        " FROM h RETURNING case_id) INSERT INTO oversight_finding (case_id, finding, note, by, at)"
        " SELECT case_id, 'definition_unclear', %(id)s, 'eve', %(at)s FROM c",
        record,
    )


def merge(store: Store, kept: str, merged: str) -> None:
    with store.work() as work:
        work.execute(
            "UPDATE lead SET merged_into = %s WHERE lead_id = %s RETURNING 1", (kept, merged)
        )
        work.execute(
            "INSERT INTO merge (kept_lead_id, merged_lead_id, because, merged_at, merged_by)"
            " VALUES (%s, %s, 'same mail', %s, 'test')",
            (kept, merged, NOW),
        )
        work.execute("INSERT INTO identity VALUES ('email', %s, %s, %s)", (MAIL, kept, NOW))


def read_everything(store: Store) -> dict[str, str]:
    """Read every table there is, as text; bytes too."""
    found = {}
    with store.engine.connect() as connection:
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        for table in tables.all():
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()  # noqa: S608
            found[table] = "\n".join(
                " | ".join(
                    bytes(cell).decode("latin-1")
                    if isinstance(cell, bytes | memoryview)
                    else json.dumps(cell, default=str, ensure_ascii=False)
                    for cell in row
                )
                for row in rows
            )
    return found


def find_mentions(store: Store, name: str) -> set[str]:
    """Find the tables that name somebody, and not merely somebody of a longer name."""
    whole = re.compile(re.escape(name) + r"(?!\d)")
    return {table for table, rows in read_everything(store).items() if whole.search(rows)}


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """Catch what is logged."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def test_a_merged_person_is_erased_from_every_table_and_the_other_lead_is_not(
    store: Store, logged: list[Any]
) -> None:
    for lead_id in (ANN, OLD, BOB):
        fill(store, lead_id)
    merge(store, ANN, OLD)
    held = {place.table for place in INVENTORY}
    assert find_mentions(store, ANN) == held
    bob = {table: rows.count(BOB) for table, rows in read_everything(store).items()}

    with store.work() as work:
        erased = erase(work, OLD, by="person:eve", at=NOW)

    assert erased.leads == 2
    assert erased.rows.keys() == held
    for name in (ANN, OLD, MAIL):
        assert find_mentions(store, name) == set(), name
        assert name not in str(logged)
    after = {table: rows.count(BOB) for table, rows in read_everything(store).items()}
    # Bob's chances look at his colleagues: one of them is gone, so he is due.
    assert after == {**bob, "score_due": bob["score_due"] + 1}
    with store.work() as work:
        states = work.execute("SELECT state, count(*) FROM outbox_effect GROUP BY 1").all()
        assert dict(list(states)) == {"given_up": 4, "waiting": 2}


@pytest.mark.parametrize("asked", [ANN, OLD, "visitor-77"])
def test_every_lead_that_is_the_same_person_is_erased(asked: str, store: Store) -> None:
    same = (ANN, OLD, "visitor-77")
    for lead_id in (*same, BOB):
        send(store, "lead", {"lead_id": lead_id, "attributes": {"employees": 5}})
    with store.work() as work:
        work.execute(
            "UPDATE lead SET merged_into = %s WHERE lead_id = ANY(%s)", (ANN, [*same[1:]])
        )

    with store.work() as work:
        assert erase(work, asked, by="test", at=NOW).leads == 3

    for lead_id in same:
        assert find_mentions(store, lead_id) == set()
    assert find_mentions(store, BOB)


KEPT_ANSWER = (
    "INSERT INTO idempotency_key (scope, key, body_hash, status, media_type, answer, answered_at,"
    " expires_at) VALUES ({scope}, {key}, '', 200, 'json', convert_to({answer}, 'UTF8'), now(), now())"
)
QUARANTINED = (
    "INSERT INTO quarantined_item (source, record, body, body_hash, problem, received_at)"
    " VALUES ('api', 'event', convert_to({body}, 'UTF8'), uuid_send(gen_random_uuid()), to_jsonb({problem}), now())"
)
EFFECT = (
    "INSERT INTO outbox_effect (effect_key, topic, payload, last_problem, created_at, next_at)"
    " VALUES ({effect_key}, 'mail', to_jsonb({payload}), {last_problem}, now(), now())"
)
JOB = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, args, lock, queueing_lock)"
    " VALUES ('default', 'push', to_jsonb({args}), {lock}, {queueing_lock})"
)
MENTIONS = [
    (insert, column)
    for insert in (KEPT_ANSWER, QUARANTINED, EFFECT, JOB)
    for column in re.findall(r"\{(\w+)\}", insert)
]


@pytest.mark.parametrize(("insert", "column"), MENTIONS, ids=[column for _, column in MENTIONS])
def test_a_mention_in_any_one_text_is_enough(insert: str, column: str, store: Store) -> None:
    """A batch is answered with all its leads: no other column of the kept answer names them."""
    columns = re.findall(r"\{(\w+)\}", insert)
    with store.work() as work:
        for name in (ANN, BOB):
            texts = {one: f"of somebody else, {len(name)}" for one in columns}
            texts[column] = f'["x", "{name}"]'
            named = {one: f"%({one})s::text" for one in columns}
            work.execute(insert.format(**named), texts)
    assert len(find_mentions(store, ANN)) == 1

    with store.work() as work:
        erased = erase(work, ANN, by="test", at=NOW)

    assert sum(erased.rows.values()) == 1
    assert find_mentions(store, ANN) == set()
    assert len(find_mentions(store, BOB)) == 1


def test_what_comes_late_does_not_revive_them(store: Store) -> None:
    fill(store, ANN)
    fill(store, OLD)
    merge(store, ANN, OLD)
    with store.work() as work:
        erase(work, ANN, by="test", at=NOW)

    for lead_id in (ANN, OLD):
        event = {"lead_id": lead_id, "event_id": "late", "name": "x", "occurred_at": moment(-2)}
        assert send(store, "event", event) == ["erased"]
        assert send(store, "lead", {"lead_id": lead_id, "attributes": {}}) == ["erased"]
        assert send(store, "stage", {"lead_id": lead_id, "stage": "sql", "at": moment(0)}) == [
            "erased"
        ]
        assert find_mentions(store, lead_id) == set()
    with store.work() as work:
        assert find_erased(work, [ANN, OLD, BOB]) == {ANN, OLD}
        assert find_erased_names(work, [("email", MAIL), ("email", "bob@x.example")]) == {
            ("email", MAIL)
        }


def test_somebody_nobody_knows_can_be_erased_beforehand_and_let_in_again(store: Store) -> None:
    event = {"lead_id": ANN, "event_id": "1", "name": "x", "occurred_at": moment(-2)}
    with store.work() as work:
        assert erase(work, ANN, by="test", at=NOW).rows == {}
    assert send(store, "event", event) == ["erased"]

    with store.work() as work:
        assert readmit(work, ANN, by="test", at=NOW)
        assert not readmit(work, ANN, by="test", at=NOW)
    assert send(store, "event", event) == ["landed"]


def test_a_lead_that_is_being_added_meanwhile_is_erased_as_well(store: Store) -> None:
    begun, erased = Event(), Event()

    def add() -> None:
        with store.work() as work:
            assert find_erased(work, [ANN]) == set()
            begun.set()
            erased.wait(0.3)  # it cannot be: the erasure waits for us
            work.execute(
                "INSERT INTO lead (lead_id, created_at, first_known_at) VALUES (%s, %s, %s)",
                (ANN, NOW, NOW),
            )

    adding = Thread(target=add)
    adding.start()
    begun.wait()
    with store.work() as work:
        found = erase(work, ANN, by="test", at=NOW)
    erased.set()
    adding.join()

    assert found.rows == {"lead": 1}
    assert find_mentions(store, ANN) == set()


@pytest.mark.parametrize("lead_id", ["7", "ä", "a/b?c", 'say "hi"', "e"])
def test_odd_and_short_ids_take_nothing_of_others_along(store: Store, lead_id: str) -> None:
    fill(store, BOB)
    bob = {table: rows.count(BOB) for table, rows in read_everything(store).items()}
    with store.work() as work:
        work.execute(
            "INSERT INTO quarantined_item (source, record, body, body_hash, problem, received_at)"
            " VALUES ('api', 'event', %(body)s, 'x', '{}', %(at)s)",
            {"body": json.dumps({"lead_id": lead_id, "n": 77}).encode(), "at": NOW},
        )

        erased = erase(work, lead_id, by="test", at=NOW)

    assert erased.rows == {"quarantined_item": 1}
    after = {table: rows.count(BOB) for table, rows in read_everything(store).items()}
    assert after == bob


def test_a_number_is_no_trace_of_the_lead_of_that_number(store: Store) -> None:
    """Short ids stand in many texts; they name somebody where they stand in quotes."""
    answers = {"bob": b'{"lead_id": "lead-10421", "days": 7}', "seven": b'{"lead_id": "7"}'}
    with store.work() as work:
        for key, answer in answers.items():
            work.execute(
                "INSERT INTO idempotency_key (scope, key, body_hash, status, media_type, answer,"
                " answered_at, expires_at) VALUES ('x', %s, '', 200, 'json', %s, %s, %s)",
                (key, answer, NOW, NOW),
            )

        erased = erase(work, "7", by="test", at=NOW)

        assert erased.rows == {"idempotency_key": 1}
        assert work.execute("SELECT key FROM idempotency_key").scalars().all() == ["bob"]


def test_every_table_that_names_a_lead_is_walked() -> None:
    walked = {place.table for place in INVENTORY}
    for name, table in Base.metadata.tables.items():
        if any(column.name.endswith("lead_id") for column in table.columns):
            assert name in walked, f"{name}: say in serving/privacy/inventory.py what it holds"
    for place in INVENTORY:
        if place.table not in Base.metadata.tables:
            continue
        keys = {
            (key.column.table.name, key.ondelete)
            for column in Base.metadata.tables[place.table].columns
            for key in column.foreign_keys
        }
        goes = place.action == "goes with the lead" and place.table != "lead"
        # Straight, or with the handoff or a score of the lead, or with a case of the handoff.
        parents = {"lead", "handoff", "oversight_case", "score"}
        assert goes == any(to in parents and how == "CASCADE" for to, how in keys), place.table


def test_over_http_all_is_given_out_then_erased_and_both_are_noted(
    store: Store, database_url: str, tmp_path: Path, logged: list[Any]
) -> None:
    fill(store, ANN)
    keys = {role: bearer(make_key(store, role)) for role in (Role.ADMIN, Role.CRM)}
    with running_app(make_app(tmp_path, database_url), keys[Role.ADMIN]) as client:
        given = client.get(f"/v1/leads/{ANN}/export")
        assert given.headers["cache-control"] == "no-store"
        record = given.json()
        assert client.get("/v1/leads/nobody/export").status_code == 404
        assert client.delete(f"/v1/leads/{ANN}", headers=keys[Role.CRM]).status_code == 403

        gone = client.delete(f"/v1/leads/{ANN}")
        late = post_json(
            client,
            "/v1/events",
            {"lead_id": ANN, "event_id": "late", "name": "x", "occurred_at": moment(-2)},
        )
        entries = client.get("/v1/audit").json()["entries"]
        assert client.get(f"/v1/leads/{ANN}/export").status_code == 404

    assert gone.status_code == 200
    assert gone.json()["leads"] == 1
    assert late.json()["results"][0]["status"] == "erased"
    exported = {place.table for place in INVENTORY if place.exported} - {"merge", "identity"}
    assert record["held"].keys() == exported
    assert record["held"]["lead_version"][0]["attributes"] == {"employees": 5}
    assert record["held"]["score"][0]["answer"] == {"lead_id": ANN}
    assert {entry["action"] for entry in entries} == {"exported", "erased"}
    assert ANN not in json.dumps(entries)
    assert ANN not in str(logged)
    assert find_mentions(store, ANN) == set()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or ANN.encode() not in path.read_bytes(), path
