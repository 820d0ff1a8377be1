"""Records land once, on the lead they are of, packed as the rows say."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from features.clock import DAY_US, to_us
from features.compute.online import compute_packed_rows, compute_rows
from serving.errors import InvalidBodyError
from serving.intake.envelope import open_envelope
from serving.intake.records.ingest import lock_leads
from serving.intake.records.items import Landed
from serving.intake.service import Intake, take_in
from serving.store.histories import find_colleagues, read_histories
from serving.store.packed import find_differences, read_packed
from serving.store.session import Store, UnitOfWork
from serving.store.tombstones import hash_id
from tests.integration.intake.factories import CATALOG, ask, make_event, merge, send
from tests.integration.locks import wait_until_somebody_waits
from tests.unit.serving.factories import NOW


def statuses(landed: Landed) -> list[str]:
    return [result.status for result in landed.results]


def test_an_event_lands_once_and_its_lead_is_due(store: Store) -> None:
    first = send(store, "event", make_event(), make_event("e2"), make_event("e2"))
    again = send(store, "event", make_event(name="Something else"), make_event("e3"))

    assert statuses(first) == ["landed", "landed", "repeated"]
    assert statuses(again) == ["repeated", "landed"]
    assert ask(store, "SELECT event_id, kind FROM event ORDER BY 1") == [
        ("e1", "pricing_view"),
        ("e2", "pricing_view"),
        ("e3", "pricing_view"),
    ]
    assert ask(store, "SELECT lead_id, due_at, because FROM score_due") == [
        ("ann", NOW, "event"),
        ("ann", NOW, "event"),
    ]


def test_ids_need_only_be_unique_within_their_source(store: Store) -> None:
    landed = send(store, "event", make_event(), make_event(source="crm"))

    assert statuses(landed) == ["landed", "landed"]


def test_an_event_without_id_that_is_stated_twice_lands_once(store: Store) -> None:
    landed = send(store, "event", make_event(None), make_event(None), make_event(None, value=2))

    assert statuses(landed) == ["landed", "repeated", "landed"]


def test_a_lead_known_by_an_event_alone_comes_to_be_with_it(store: Store) -> None:
    send(store, "event", make_event())
    send(
        store,
        "lead",
        {"lead_id": "ann", "created_at": "2026-03-01T00:00:00Z", "attributes": {"employees": 5}},
        at=NOW + timedelta(minutes=1),
    )

    when = datetime.fromisoformat("2026-03-01T00:00:00+00:00")
    assert ask(store, "SELECT created_at, is_bare, first_known_at FROM lead") == [
        (when, False, NOW)
    ]


def test_attributes_left_out_stay_and_nothing_new_makes_no_version(store: Store) -> None:
    def lead(**attributes: Any) -> dict[str, Any]:
        return {"lead_id": "ann", "attributes": attributes}

    landed = send(
        store, "lead", lead(employees=5, plan="x"), lead(employees=5), lead(plan=None), lead()
    )

    assert statuses(landed) == ["landed", "unchanged", "landed", "unchanged"]
    assert ask(store, "SELECT attributes FROM lead_version ORDER BY version_id") == [
        ({"employees": 5, "plan": "x"},),
        ({"employees": 5, "plan": None},),
    ]


def test_an_older_change_does_not_undo_a_newer_one(store: Store) -> None:
    def changed(day: int, employees: int) -> dict[str, Any]:
        when = f"2026-03-0{day}T00:00:00Z"
        return {"lead_id": "ann", "changed_at": when, "attributes": {"employees": employees}}

    landed = send(store, "lead", changed(3, 30), changed(2, 20))

    assert statuses(landed) == ["landed", "outdated"]


def test_stages_and_attempts_land_once(store: Store) -> None:
    move = {"lead_id": "ann", "stage": "MQL", "at": "2026-03-08T09:00:00+01:00"}
    call = {"lead_id": "ann", "channel": "Call", "at": "2026-03-08T10:00:00Z", "actor": "s-1"}

    assert statuses(send(store, "stage", move, move)) == ["landed", "repeated"]
    assert statuses(send(store, "attempt", call, call)) == ["landed", "repeated"]
    assert ask(store, "SELECT stage FROM stage_change") == [("mql",)]
    assert ask(store, "SELECT channel FROM attempt") == [("call",)]
    # What sales does is no engagement: no reason to score again.
    assert len(ask(store, "SELECT 1 FROM score_due")) == 1


def test_nobody_else_sends_records_in_our_own_name(store: Store) -> None:
    call = {"lead_id": "ann", "channel": "call", "at": NOW.isoformat(), "source": " Baton "}

    landed = send(store, "attempt", call)

    assert statuses(landed) == ["quarantined"]
    assert landed.results[0].problem["errors"][0].path == "source"


def test_clocks_that_are_off_are_put_right(store: Store) -> None:
    ahead = (NOW + timedelta(hours=2)).isoformat()
    an_hour_before = (NOW + timedelta(hours=1)).isoformat()

    send(store, "event", make_event(occurred_at=an_hour_before), sent_at=ahead)
    send(store, "event", make_event("e2", occurred_at=ahead))

    assert ask(store, "SELECT event_id, occurred_at, known_at FROM event ORDER BY 1") == [
        ("e1", NOW - timedelta(hours=1), NOW),
        ("e2", NOW, NOW),
    ]


def test_a_delay_is_not_taken_for_a_clock_and_the_answer_states_so(store: Store) -> None:
    three_hours_ago = (NOW - timedelta(hours=3)).isoformat()
    long_ago = (NOW - timedelta(days=10)).isoformat()

    landed = send(store, "event", make_event(occurred_at=long_ago), sent_at=three_hours_ago)

    assert ask(store, "SELECT occurred_at FROM event") == [(NOW - timedelta(days=10),)]
    assert [result.clock for result in landed.results] == ["doubtful"]


def test_the_same_bytes_days_later_change_nothing(store: Store) -> None:
    def sent(industry: str, changed_at: datetime) -> dict[str, Any]:
        attributes = {"industry": industry}
        return {"lead_id": "ann", "attributes": attributes, "changed_at": changed_at.isoformat()}

    older, newer = sent("software", NOW), sent("logistics", NOW + timedelta(hours=1))
    send(store, "lead", older, sent_at=NOW.isoformat())
    later = NOW + timedelta(hours=1)
    send(store, "lead", newer, sent_at=later.isoformat(), at=later)

    again = send(store, "lead", older, sent_at=NOW.isoformat(), at=NOW + timedelta(days=3))

    assert statuses(again) == ["outdated"]


@pytest.mark.parametrize("sent_at", ["1980-01-01T00:00:00Z", "2199-12-31T00:00:00Z"])
def test_no_clock_carries_a_time_out_of_its_century(store: Store, sent_at: str) -> None:
    landed = send(store, "event", make_event(occurred_at="1980-01-02T00:00:00Z"), sent_at=sent_at)

    assert [result.clock for result in landed.results] == ["doubtful"]
    assert ask(store, "SELECT occurred_at FROM event") == [(datetime(1980, 1, 2, tzinfo=UTC),)]


def test_bounds_hold_for_times_that_were_put_right(store: Store) -> None:
    ahead = (NOW + timedelta(hours=12)).isoformat()

    landed = send(store, "event", make_event(occurred_at="1980-01-01T01:00:00Z"), sent_at=ahead)

    assert statuses(landed) == ["quarantined"]
    assert landed.results[0].problem["errors"][0].path == "occurred_at"


def test_what_lands_after_a_look_counts_only_after_it(store: Store) -> None:
    send(store, "event", make_event())
    last_scored_as_of = NOW + timedelta(minutes=5)
    with store.work() as work:
        work.execute("UPDATE lead SET last_scored_as_of = %s", (last_scored_as_of,))

    send(store, "event", make_event("e2"), at=NOW + timedelta(minutes=1))

    assert ask(store, "SELECT known_at FROM event ORDER BY event_id") == [
        (NOW,),
        (last_scored_as_of,),
    ]


def test_who_was_erased_does_not_come_back(store: Store) -> None:
    with store.work() as work:
        work.execute("INSERT INTO tombstone VALUES (%s, %s)", (hash_id("ann"), NOW))

    landed = send(store, "event", make_event(), make_event("e2", lead_id="bob"))
    lead = send(store, "lead", {"lead_id": "ann", "attributes": {"employees": 1}})

    assert statuses(landed) == ["erased", "landed"]
    assert statuses(lead) == ["erased"]
    assert ask(store, "SELECT lead_id FROM lead") == [("bob",)]


BAD = {
    "nothing said": {},
    "no zone": make_event(occurred_at="2026-03-01 09:00"),
    "no name": make_event(name=" "),
    "NUL": make_event(name="a\0b"),
    "NUL deep inside": make_event(properties={"a": [{"b": "\0"}]}),
    "half a character": make_event(name="\ud800"),
    "huge": make_event(properties={"a": "x" * 100_000}),
    "long name": make_event(name="x" * 501),
    "deep": make_event(properties={"a": json.loads("[" * 900 + "]" * 900)}),
    "bool for number": make_event(value=True),
    "text for number": make_event(value="5"),
    "next year": make_event(occurred_at="2027-03-01T00:00:00Z"),
    "year one": make_event(occurred_at="0001-01-01T00:00:00Z"),
    "stranger": make_event(score=5),
    "number for id": make_event(7),
    "blank lead": make_event(lead_id="  "),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_item_leaves_the_others_alone(bad: dict[str, Any], store: Store) -> None:
    landed = send(store, "event", bad, make_event())

    assert landed.counts["landed"] == 1
    if bad is not BAD["deep"]:
        assert statuses(landed) == ["quarantined", "landed"]
        problem = landed.results[0].problem
        assert problem is not None
        assert problem["errors"]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_single_bad_item_is_refused_and_not_kept(bad: dict[str, Any], store: Store) -> None:
    body = json.dumps(bad).encode()
    intake = Intake(CATALOG.taxonomy, CATALOG, NOW)
    envelope = open_envelope("event", body, 10) if bad is not BAD["half a character"] else None

    if bad is not BAD["deep"] and envelope is not None:
        with pytest.raises(InvalidBodyError), store.work() as work:
            take_in(work, "event", envelope, intake)
        assert ask(store, "SELECT 1 FROM quarantined_item") == []


def test_attributes_have_the_types_of_the_model(store: Store) -> None:
    wrong = {"lead_id": "ann", "attributes": {"employees": "many", "shoe_size": "L"}}
    strange = {"lead_id": "ann", "attributes": {"shoe_size": "L"}}

    landed = send(store, "lead", wrong, strange)

    assert statuses(landed) == ["quarantined", "landed"]
    assert landed.results[0].problem["errors"][0].path == "attributes.employees"
    assert statuses(send(store, "lead", wrong, catalog=None)) == ["landed"]


def draw_happenings(rng: random.Random, at: datetime) -> list[tuple[str, dict[str, Any]]]:
    sent = []
    for _ in range(rng.randint(1, 6)):
        lead_id = rng.choice(["ann", "bob", "cyd"])
        when = (at - timedelta(minutes=rng.randint(0, 90_000))).isoformat()
        record = rng.choice(["event", "event", "stage", "lead"])
        if record == "event":
            name = rng.choice(["Viewed Pricing", "email_open", "whatever"])
            item = make_event(
                f"e{rng.randint(0, 60)}",
                lead_id=lead_id,
                name=name,
                occurred_at=when,
                channel=rng.choice([None, "web", "email", "fax"]),
                value=rng.choice([None, 1, -0.0, 1e300]),
            )
        elif record == "stage":
            stage = rng.choice(["mql", "sal", "returned"])
            item = {"lead_id": lead_id, "stage": stage, "at": when, "reason": "no budget"}
        else:
            industry = rng.choice(["software", "fishing", None])
            item = {
                "lead_id": lead_id,
                "attributes": {"industry": industry, "contract_ends": when},
                "account_id": rng.choice(["acme", "globex", None]),
            }
            if rng.random() < 0.3:
                item["created_at"] = when
        sent.append((record, item))
    return sent


@pytest.mark.parametrize("seed", range(6))
def test_packed_histories_are_what_the_rows_give(seed: int, store: Store) -> None:
    rng = random.Random(seed)  # noqa: S311 - no secret
    at = NOW
    for _ in range(12):
        at += timedelta(minutes=rng.randint(1, 2_000))
        for record, item in draw_happenings(rng, at):
            # Now and then nobody knows the model: what is packed then is made anew when asked.
            assert (
                "quarantined"
                not in send(
                    store, record, item, at=at, catalog=None if rng.random() < 0.1 else CATALOG
                ).counts
            )
    ids = ["ann", "bob", "cyd"]
    as_of = to_us(at) + DAY_US

    with store.work() as work:
        rows = read_histories(work, ids, CATALOG)
        assert find_differences(work, CATALOG, ids) == []
        packed = read_packed(work, CATALOG, ids)
        assert find_differences(work, CATALOG, ids) == []

    assert packed.keys() == rows.keys()
    for lead_id, lead in packed.items():
        row = compute_packed_rows(CATALOG, [lead], [as_of])
        assert row.tobytes() == compute_rows(CATALOG, [rows[lead_id]], [as_of]).tobytes()


def test_colleagues_are_those_of_any_of_the_leads_accounts(store: Store) -> None:
    for lead_id, account in (("ann", "acme"), ("bob", "acme"), ("cyd", "globex"), ("dee", None)):
        send(store, "lead", {"lead_id": lead_id, "account_id": account})
    send(store, "lead", {"lead_id": "bob", "account_id": "globex"})

    with store.work(read_only=True) as work:
        found = find_colleagues(work, ["ann", "bob", "cyd", "dee"])

    assert found == {"ann": ["bob"], "bob": ["ann", "cyd"], "cyd": ["bob"], "dee": []}


def test_batches_that_cross_each_other_all_land_once(store: Store) -> None:
    rng = random.Random(3)  # noqa: S311 - no secret
    leads = [f"L{i}" for i in range(8)]
    batches = [
        [make_event(f"e{rng.randint(0, 80)}", lead_id=rng.choice(leads)) for _ in range(12)]
        for _ in range(40)
    ]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda batch: send(store, "event", *batch), batches))

    landed = [
        result.id for answer in answers for result in answer.results if result.status == "landed"
    ]
    wanted = {event["event_id"] for batch in batches for event in batch}
    assert sorted(landed) == sorted(wanted)
    assert len(ask(store, "SELECT 1 FROM event")) == len(wanted)
    with store.work() as work:
        assert find_differences(work, CATALOG, leads) == []
    packed = ask(store, "SELECT sum(length(records)) / 16 FROM packed_history")
    assert packed[0][0] == len(wanted)


def test_whoever_waits_for_a_row_to_be_created_holds_no_other_lead(store: Store) -> None:
    """Else two batches that create and lock leads in turn would each wait for the other."""
    send(store, "event", make_event("e1", lead_id="ann"))

    def lock(work: UnitOfWork, *lead_ids: str) -> set[str]:
        return set(lock_leads(work, dict.fromkeys(lead_ids, NOW), NOW, bare=True))

    def lock_both() -> set[str]:
        with store.work() as work:
            return lock(work, "ann", "bob")

    with ThreadPoolExecutor(1) as pool:
        with store.work() as work:
            assert lock(work, "bob") == {"bob"}
            other = pool.submit(lock_both)
            wait_until_somebody_waits(store)
            work.execute("SET LOCAL lock_timeout = '2s'")
            assert lock(work, "ann") == {"ann"}
        assert other.result() == {"ann", "bob"}
    assert ask(store, "SELECT lead_id FROM lead ORDER BY 1") == [("ann",), ("bob",)]


def test_what_is_sent_of_a_merged_lead_counts_for_the_one_it_is_by_now(store: Store) -> None:
    send(store, "event", make_event("e1"), make_event("e2", lead_id="anon-7"))
    merge(store, "ann", "anon-7")

    send(store, "event", make_event("e3", lead_id="anon-7"))
    send(store, "lead", {"lead_id": "anon-7", "attributes": {"employees": 9}})

    with store.work() as work:
        packed = read_packed(work, CATALOG, ["ann"])["ann"]
        assert find_differences(work, CATALOG, ["ann"]) == []
    assert len(packed.records) == 3 * 16
    assert ask(store, "SELECT lead_id FROM event WHERE event_id = 'e3'") == [("anon-7",)]
