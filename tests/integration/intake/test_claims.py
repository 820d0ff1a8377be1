"""What trackers say is a claim: it never stands over the CRM, takes nobody's name, and tells nothing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.handoff.lifecycle.lead_facts import read_lead_facts
from serving.handoff.playbook.agreement import Side, Word
from serving.handoff.playbook.repository import propose, sign
from serving.leads.queries import read_facts_now
from serving.privacy.erase import erase
from serving.store.cells import read_cells
from serving.store.histories import read_histories
from serving.store.packed import find_differences
from serving.store.session import Store
from serving.store.snapshots import read_store
from tests.integration.intake.factories import (
    CATALOG,
    ask,
    make_event,
    merge,
    send,
    send_messages,
    survivors,
)
from tests.integration.intake.test_merging import Market
from tests.integration.scores.job_resources import replay_at
from tests.unit.serving.factories import NOW, running, settle_in

KEY = "write-key-of-the-tests"
MINUTE = timedelta(minutes=1)


def identify(user: str, device: str = "a-1", **traits: Any) -> dict[str, Any]:
    when = (NOW - timedelta(hours=1)).isoformat()
    who = {"userId": user, "anonymousId": device, "traits": traits}
    return {"type": "identify", "timestamp": when, **who}


def group(user: str, account: str, **traits: Any) -> dict[str, Any]:
    return {"type": "group", "userId": user, "groupId": account, "traits": traits}


def send_lead(store: Store, lead_id: str = "L1", source: str = "crm", **more: Any) -> None:
    attributes = {name: value for name, value in more.items() if name not in LEAD_FIELDS}
    fields = {name: value for name, value in more.items() if name in LEAD_FIELDS - {"at"}}
    lead = {"lead_id": lead_id, "source": source, "attributes": attributes, **fields}
    send(store, "lead", lead, at=more.get("at", NOW))


LEAD_FIELDS = {"account_id", "created_at", "changed_at", "at"}


def read_now(store: Store, *members: str) -> tuple[dict[str, Any], dict[str, str]]:
    with store.work(read_only=True) as work:
        facts = read_facts_now(work, members or ["L1"])
    return facts.attributes, facts.sources


@pytest.mark.parametrize("first", ["crm", "tracker"])
def test_a_tracker_never_stands_over_what_the_crm_has_stated(first: str, store: Store) -> None:
    claims = {"seniority": "intern", "employees": 1, "title": "CTO"}
    messages = identify("L1", **claims), group("L1", "evil", employees=2)
    stated = {"seniority": "vp", "employees": 500, "account_id": "acme"}
    if first == "tracker":
        send_messages(store, *messages)
    send_lead(store, **stated)
    send_messages(store, *messages, at=NOW + MINUTE)

    attributes, sources = read_now(store)
    assert attributes == {"seniority": "vp", "employees": 500, "job_title": "CTO"}
    assert sources == {"seniority": "crm", "employees": "crm", "job_title": "segment"}
    assert ask(store, "SELECT account_id FROM lead WHERE lead_id = 'L1'") == [("acme",)]


def test_everybody_who_reads_facts_reads_them_by_the_same_rule(store: Store) -> None:
    send_lead(store, "L2", industry="logistics")
    send_lead(store, "L1", has_phone=True)
    # The surviving lead's own claim does not stand over what the CRM stated of the other one.
    send_messages(store, identify("L1", industry="gambling", employees=7))
    merge(store, "L1", "L2", NOW + MINUTE)
    later = NOW + timedelta(days=1)

    known, _ = read_now(store, "L1", "L2")
    assert known == {"industry": "logistics", "has_phone": True, "employees": 7}
    with store.work() as work:
        record = read_histories(work, ["L1"], CATALOG)["L1"]
        facts = read_lead_facts(work, "L1", later, CATALOG.taxonomy).facts
    trained = read_store(store, later, CATALOG.taxonomy, CATALOG).leads.to_pylist()[-1]
    cells = {name: trained[name] for name in ("industry", "has_phone", "employees")}
    assert (cells, dict(facts.attributes)) == (known, known)
    assert record.versions[-1].attributes == read_cells(CATALOG.attributes, known)


def test_a_fact_is_the_trackers_until_the_crm_has_stated_it(store: Store) -> None:
    send_messages(store, identify("L1", employees=5))
    send_lead(store, at=NOW + MINUTE, employees=5)  # the same, but now it is more than a claim
    send_messages(store, identify("L1", employees=9), at=NOW + 2 * MINUTE)

    assert read_now(store) == ({"employees": 5}, {"employees": "crm"})
    rows = ask(store, "SELECT source, known_at FROM lead_version ORDER BY version_id")
    assert rows == [("segment", NOW), ("crm", NOW + MINUTE)]


def test_an_empty_field_of_the_crm_takes_nothing_from_others(store: Store) -> None:
    send_lead(store, employees=5)
    send_messages(store, identify("L1", title="CTO"))
    send_lead(store, at=NOW + MINUTE, job_title=None, employees=None)

    assert read_now(store) == ({"job_title": "CTO"}, {"job_title": "segment"})


def test_a_trackers_clock_and_creation_do_not_count_against_the_crms(store: Store) -> None:
    early = NOW - timedelta(days=40)
    send_messages(
        store, identify("L1", employees=1, createdAt=(NOW - timedelta(days=9)).isoformat())
    )
    changed = (NOW - timedelta(days=2)).isoformat()
    send_lead(store, employees=5, created_at=early.isoformat(), changed_at=changed)

    assert read_now(store)[0] == {"employees": 5}
    assert ask(store, "SELECT created_at, is_bare FROM lead WHERE lead_id = 'L1'") == [
        (early, False)
    ]


def test_the_playbook_in_effect_decides_whose_word_counts(store: Store) -> None:
    send_lead(store, source="enrichment", employees=5)
    send_lead(store, source="crm", employees=6)
    body = '[sources]\nprecedence = [["enrichment"], ["*"], ["segment", "snowplow"]]'
    with store.work() as work:
        number = propose(work, body, by="mia", at=NOW).number
        sign(work, number, Side.MARKETING, Word.AGREE, by="mia", at=NOW)
        sign(work, number, Side.SALES, Word.AGREE, by="sam", at=NOW)
    send_lead(store, source="enrichment", employees=7)
    send_lead(store, source="crm", employees=8)

    assert read_now(store) == ({"employees": 7}, {"employees": "enrichment"})


def test_an_address_is_whose_the_crm_states_whatever_a_tracker_has_claimed(store: Store) -> None:
    send_lead(store, "L1")
    send_messages(store, identify("L1", "evil", email="vic@example.com"))
    send_messages(store, identify("u-9", "a-9", email="vic@example.com"))
    send_messages(store, identify("L1", "evil", email="vic@example.com"))
    assert survivors(store)["u-9"] == "u-9"

    send_lead(store, "L2", email="vic@example.com")
    send_messages(store, identify("L1", "evil", email="vic@example.com"))

    assert survivors(store) == {
        "L1": "L1",
        "anonymous:evil": "L1",
        "L2": "L2",
        "u-9": "L2",
        "anonymous:a-9": "L2",
    }
    held = ask(store, "SELECT lead_id, is_confirmed FROM identity WHERE kind = 'email'")
    assert held == [("L2", True)]


def test_no_known_lead_becomes_part_of_another_by_what_a_tracker_states(store: Store) -> None:
    send_lead(store, "L1", email="ann@example.com")
    send_lead(store, "L2", email="bob@example.com")
    aliases = [
        {"type": "alias", "previousId": one, "userId": other, "messageId": one}
        for one, other in (("L1", "L2"), ("L2", "L1"), ("L1", "u-1"))
    ]

    send_messages(store, *aliases, identify("L1", "a-1", email="bob@example.com"))
    send_messages(store, identify("L2", "a-1"), identify("L1", "a-2"), identify("L2", "a-2"))

    whose = survivors(store)
    assert (whose["L1"], whose["L2"]) == ("L1", "L2")


def test_a_user_becomes_part_of_a_known_lead_by_more_than_an_alias(store: Store) -> None:
    send_lead(store, "L1", email="ann@example.com")
    send_messages(store, identify("u-1", "a-1"), identify("u-2", "a-2"))
    aliases = [
        {"type": "alias", "previousId": "u-1", "userId": "L1", "messageId": "1"},
        {"type": "alias", "previousId": "L1", "userId": "u-1", "messageId": "2"},
        {"type": "alias", "previousId": "a-9", "userId": "L1", "messageId": "3"},
    ]

    answers = send_messages(store, *aliases)

    assert [answer.status for answer in answers] == ["quarantined", "quarantined", "landed"]
    problems = [answer.problem["type"] for answer in answers if answer.problem]
    assert problems == ["urn:baton:problem:only-claimed"] * 2
    send_messages(store, identify("u-2", "a-2", email="ann@example.com"))
    whose = survivors(store)
    assert (whose["u-1"], whose["anonymous:a-9"], whose["u-2"]) == ("u-1", "L1", "L1")


@pytest.mark.parametrize("first", ["event", "tracker"])
def test_scores_of_before_are_replayed_though_the_crm_has_dated_the_creation_since(
    first: str, store: Store, tmp_path: Path
) -> None:
    market = Market(store, tmp_path, 1)
    market.clock.move(minutes=60)
    if first == "event":
        market.send("event", make_event("e1", lead_id="new"))
    else:
        message = identify("new", "d", employees=3, createdAt=(NOW - 99 * MINUTE).isoformat())
        send_messages(store, message, at=market.clock(), catalog=market.catalog)
    market.clock.move(minutes=60)
    market.scorer.score_lead("new", ["asked"])
    before = read_store(store, market.clock(), CATALOG.taxonomy, CATALOG).leads
    cut = market.clock()
    market.clock.move(minutes=60)
    early = market.clock() - timedelta(days=90)
    market.send("lead", {"lead_id": "new", "created_at": early.isoformat(), "attributes": {}})
    market.clock.move(minutes=60)
    market.scorer.score_lead("new", ["asked"])

    assert ask(store, "SELECT created_at FROM lead WHERE lead_id = 'new'") == [(early,)]
    assert read_store(store, cut, CATALOG.taxonomy, CATALOG).leads == before
    given = ask(store, "SELECT lead_id, as_of, answer FROM score WHERE lead_id = 'new'")
    assert len(given) == 2
    for lead_id, as_of, answer in given:
        assert replay_at(market.scorer, lead_id, as_of, anew=True) == bytes(answer)


class ClaimMarket(Market):
    """Leads of which the CRM and a tracker say different things, and who are merged and parted."""

    def act(self) -> None:
        super().act()
        lead_id, employees = self.rng.choice(self.leads), self.rng.randint(1, 99)
        messages = [identify(lead_id, f"a-{lead_id}", employees=employees, industry="x")]
        if self.rng.random() < 0.5:
            messages.append(group(lead_id, self.rng.choice(["acme", "globex"])))
        send_messages(self.store, *messages, at=self.clock(), catalog=self.catalog)

    def check(self) -> None:
        with self.store.work() as work:
            roots = sorted(set(survivors(self.store).values()))
            assert find_differences(work, self.catalog, roots) == []


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_replayed_to_the_byte_whoever_stated_what(
    seed: int, store: Store, tmp_path: Path
) -> None:
    market = ClaimMarket(store, tmp_path, seed)
    for _ in range(15):
        market.clock.move(minutes=market.rng.randint(1, 2_000))
        market.rng.choice([market.act, market.act, market.merge, market.part])()
        market.check()
        market.score()

    mixed = "SELECT count(*) FROM lead_version WHERE origins <> '{}'"
    assert ask(store, mixed)[0][0] > 0
    given = ask(store, "SELECT lead_id, as_of, answer FROM score")
    for lead_id, as_of, answer in given:
        assert replay_at(market.scorer, lead_id, as_of, anew=True) == bytes(answer)


@pytest.fixture(scope="module")
def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with running(settle_in(tmp_path_factory.mktemp("home"), database_url, api_token=KEY)) as one:
        yield one


def test_the_answer_is_the_same_whoever_it_is_about(client: httpx.Client, store: Store) -> None:
    send_lead(store, "known", employees=5, email="ann@example.com")
    send_lead(store, "gone", email="gone@example.com")
    with store.work() as work:
        erase(work, "gone", by="ann the admin", at=NOW)
    messages = [
        [identify(user, device, email=email, employees=1)]
        for user in ("known", "gone", "nobody")
        for device in ("a-1", "a-2")
        for email in ("ann@example.com", "gone@example.com", "new@example.com")
    ]
    messages += [
        [{"type": "alias", "previousId": one, "userId": "known", "messageId": one}]
        for one in ("gone", "nobody", "a-1", "a-7")
    ]
    messages += [[{"type": "track", "userId": user}] for user in ("known", "gone", "nobody")]

    def ask_about(batch: list[dict[str, Any]]) -> tuple[int, bytes, frozenset[str]]:
        answer = client.post("/v1/batch", content=json.dumps({"batch": batch}), headers=HEADERS)
        return answer.status_code, answer.content, frozenset(answer.headers)

    assert len({ask_about(batch) for batch in messages}) == 1


HEADERS = {"Content-Type": "application/json"}


def test_a_lead_is_shown_with_who_stated_what(client: httpx.Client, store: Store) -> None:
    send_lead(store, employees=5)
    send_messages(store, identify("L1", employees=1, title="CTO"))

    shown = client.get("/v1/leads/L1").json()

    assert shown["attributes"] == {"employees": 5, "job_title": "CTO"}
    assert shown["attribute_sources"] == {"employees": "crm", "job_title": "segment"}
