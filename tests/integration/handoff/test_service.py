"""Handing over, answering, giving back, in the store: what each action leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from baton.command_line import app
from serving.auth.principals import build_principal
from serving.auth.roles import Role
from serving.handoff.api.dependencies import get_own
from serving.handoff.api.serialize import shape_handoff
from serving.handoff.decision.rules import ManualRequest
from serving.handoff.lifecycle.clocks import list_moves, list_runs, read_clocks, read_pursuit
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.errors import (
    AttemptTimeError,
    NotQualifiedError,
    NotYourHandoffError,
)
from serving.handoff.lifecycle.give_back import give_back, give_up, reject, withdraw
from serving.handoff.lifecycle.jobs import DECIDE, decide_after, decide_job, sweep_job
from serving.handoff.lifecycle.record import get_handoff, lock_handoff
from serving.handoff.lifecycle.respond import accept, hand_on, supply
from serving.handoff.lifecycle.respond import ask as ask_marketing
from serving.handoff.lifecycle.sellers import name_actor
from serving.handoff.lifecycle.sweep import sweep
from serving.handoff.lifecycle.work import Tried, log_attempt, open_deal, qualify, win
from serving.handoff.machine.errors import ImpossibleMoveError, NotPersistentEnoughError
from serving.handoff.machine.transitions import Clock as Timed
from serving.handoff.machine.transitions import State
from serving.handoff.playbook.repository import read_agreed
from serving.handoff.playbook.sections.returns import SalesReason
from serving.handoff.playbook.sections.triggers import Trigger
from serving.store.session import Store
from tests.integration.auth.factories import make_key
from tests.integration.handoff.office import (
    MONDAY,
    PLAYBOOK,
    QUALIFIED,
    add_lead,
    agree,
    ask,
    ask_for_sales,
    count,
    decide,
    do,
    land,
    make_sweep_context,
)
from tests.integration.locks import wait_until_somebody_waits
from tests.integration.scores.job_resources import (
    Clock,
    drain,
    find_small_bundle,
    make_model_holder,
    make_scorer,
)
from tests.unit.serving.timing_factories import write_timed_bundle

SOON = MONDAY + timedelta(minutes=10)


@pytest.fixture
def office(store: Store) -> Store:
    agree(store)
    return store


def hand_over(store: Store, lead_id: str = "lead-1") -> int:
    add_lead(store, lead_id)
    ask_for_sales(store, lead_id, MONDAY)
    outcome = decide(store, lead_id, MONDAY)
    assert outcome.handoff is not None
    return outcome.handoff.handoff_id


def test_fifty_triggers_at_once_make_one_handoff(office: Store) -> None:
    add_lead(office, "lead-1")
    ask_for_sales(office, "lead-1", MONDAY)

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: decide(office, "lead-1", MONDAY), range(50)))

    assert sum(outcome.handoff is not None for outcome in outcomes) == 1
    assert count(office, "SELECT count(*) FROM handoff") == 1
    assert count(office, "SELECT count(*) FROM stage_change WHERE stage = 'mql'") == 1
    assert count(office, "SELECT count(*) FROM assignment") == 1
    topic = "SELECT count(*) FROM outbox_effect WHERE topic = 'handoff.assigned'"
    assert count(office, topic) == 1


def test_a_lead_that_asks_is_handed_over_with_its_packet_and_states_why(office: Store) -> None:
    handoff_id = hand_over(office)

    [(state, seller, trigger, because, packet, version)] = ask(
        office,
        "SELECT state, seller_id, trigger, because, packet, playbook_version FROM handoff "
        "WHERE handoff_id = :id",
        id=handoff_id,
    )
    assert (state, seller, trigger) == ("assigned", "ann", "hand_raiser")
    assert because == "Handed over: it asked for sales itself (Request a demo, 2026-05-04)."
    assert packet["persona"] == "executive"
    assert packet["source"] == "webinar"
    assert version.startswith("v1-")
    signals = ask(office, "SELECT signal, origin, state FROM handoff_move ORDER BY move_number")
    assert signals == [
        ("hand_over", "decided", "queued"),
        ("assign", "queued", "assigned"),
    ]


def test_each_move_lands_its_stage_so_that_labels_see_it(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        accept(work, handoff_id, ActionContext(SOON, "ann"))
        log_attempt(work, handoff_id, Tried(SOON, "call", "reached"), ActionContext(SOON, "ann"))
        qualify(work, handoff_id, QUALIFIED, ActionContext(SOON + timedelta(hours=1), "ann"))
        open_deal(work, handoff_id, ActionContext(SOON + timedelta(hours=2), "ann"))
        row = win(work, handoff_id, ActionContext(SOON + timedelta(hours=3), "ann"))

    assert State(row.state) is State.WON
    landed = ask(office, "SELECT stage, source FROM stage_change ORDER BY at, change_number")
    assert landed == [(s, "baton") for s in ("mql", "sal", "sql", "opportunity", "won")]
    tried = ask(office, "SELECT channel, actor, handoff_id FROM attempt")
    assert tried == [("call", "ann", str(handoff_id))]


def test_a_sql_must_meet_what_both_teams_mean_by_it(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        log_attempt(work, handoff_id, Tried(SOON, "call", "reached"), ActionContext(SOON, "ann"))
    with pytest.raises(NotQualifiedError, match="budget"), office.work() as work:
        qualify(work, handoff_id, {"need": True}, ActionContext(SOON, "ann"))

    assert count(office, "SELECT state FROM handoff") == "working"


def test_a_rejected_lead_rests_on_a_track_and_its_next_handoff_knows(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        reject(work, handoff_id, SalesReason.NO_NEED_NOW, "next year", ActionContext(SOON, "ann"))

    again = decide(office, "lead-1", SOON + timedelta(days=1))
    assert again.handoff is None
    assert "cooling_down" in again.decision.suppressions
    [(track, rests_until)] = ask(office, "SELECT track, rests_until FROM nurture_track")
    assert (track, rests_until) == ("stay_in_touch", SOON + timedelta(days=60))
    returned = ask(office, "SELECT reason FROM stage_change WHERE stage = 'returned'")
    assert returned == [("not_ready",)]

    later = SOON + timedelta(days=2)
    ask_for_sales(office, "lead-1", later)
    renewed = decide(office, "lead-1", later)
    assert renewed.handoff is not None
    assert renewed.handoff.cycle == 2
    assert "no need now" in renewed.handoff.packet["earlier"][0]
    assert count(office, "SELECT count(*) FROM nurture_track") == 0


def test_a_lead_may_not_be_given_up_before_the_agreed_attempts(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        log_attempt(work, handoff_id, Tried(SOON, "call"), ActionContext(SOON, "ann"))
    with pytest.raises(NotPersistentEnoughError), office.work() as work:
        give_up(work, handoff_id, None, ActionContext(SOON, "ann"))

    for day, channel in enumerate(("email", "call", "call", "email", "call", "email"), 1):
        at = SOON + timedelta(days=2 * day)
        with office.work() as work:
            log_attempt(work, handoff_id, Tried(at, channel), ActionContext(at, "ann"))
    with office.work() as work:
        row = give_up(work, handoff_id, None, ActionContext(SOON + timedelta(days=13), "ann"))
    assert (row.state, row.reason) == ("given_up", "unreachable")


def read_clock_states(office: Store, handoff_id: int, at: datetime) -> dict[str, str]:
    with office.work(read_only=True) as work:
        row = get_handoff(work, handoff_id)
        return {
            read.run.clock.value: read.reading.state.value
            for read in read_clocks(work, row, at, read_agreed(work))
        }


@pytest.mark.parametrize("backdated", [timedelta(minutes=50), timedelta(hours=70)])
def test_a_breach_stays_a_breach_whatever_time_the_seller_names(
    office: Store, backdated: timedelta
) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        accept(work, handoff_id, ActionContext(SOON, "ann"))
    late = SOON + timedelta(days=3)
    assert read_clock_states(office, handoff_id, late)["first_contact"] == "overdue"

    with office.work() as work:
        tried = Tried(late - backdated, "call", "reached")
        row, is_new = log_attempt(work, handoff_id, tried, ActionContext(late, "ann"))
        shaped = shape_handoff(work, row, late)

    assert is_new
    assert read_clock_states(office, handoff_id, late)["first_contact"] == "late"
    # What the seller said is kept, beside the moment that counts.
    assert ask(office, "SELECT at FROM attempt") == [(late - backdated,)]
    within = backdated <= timedelta(hours=1)
    assert shaped.moves[-1].attempted_at == late - backdated
    assert shaped.moves[-1].counted_from == (late - backdated if within else late)


@pytest.mark.parametrize(
    ("at", "because"),
    [
        (SOON + timedelta(minutes=30), "future"),
        (MONDAY.replace(year=2199), "future"),
        (SOON - timedelta(minutes=1), "before the lead was taken"),
        (MONDAY.replace(year=1980), "before the lead was taken"),
    ],
)
def test_an_attempt_at_an_impossible_time_is_refused(
    office: Store, at: datetime, because: str
) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        accept(work, handoff_id, ActionContext(SOON, "ann"))

    with pytest.raises(AttemptTimeError, match=because), office.work() as work:
        log_attempt(work, handoff_id, Tried(at, "call"), ActionContext(SOON, "ann"))

    assert count(office, "SELECT count(*) FROM attempt") == 0


def test_before_anybody_took_the_lead_an_attempt_counts_since_it_was_assigned(
    office: Store,
) -> None:
    handoff_id = hand_over(office)

    early = Tried(MONDAY - timedelta(minutes=1), "call")
    with pytest.raises(AttemptTimeError, match="before the lead was taken"), office.work() as work:
        log_attempt(work, handoff_id, early, ActionContext(SOON, "ann"))
    with office.work() as work:
        log_attempt(work, handoff_id, Tried(MONDAY, "call"), ActionContext(SOON, "ann"))

    assert read_clock_states(office, handoff_id, SOON)["answer"] == "in_time"


def test_attempts_dated_back_show_no_persistence(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        accept(work, handoff_id, ActionContext(SOON, "ann"))
    late = SOON + timedelta(days=14)
    for day, channel in enumerate(("call", "email", "call", "call", "email", "call", "email")):
        tried = Tried(SOON + timedelta(days=2 * day), channel)
        with office.work() as work:
            log_attempt(work, handoff_id, tried, ActionContext(late, "ann"))

    with pytest.raises(NotPersistentEnoughError), office.work() as work:
        give_up(work, handoff_id, None, ActionContext(late, "ann"))


def test_a_call_the_crm_tells_of_takes_the_lead_and_counts_from_when_it_was_made(
    office: Store,
) -> None:
    number = hand_over(office)
    called = MONDAY + timedelta(minutes=20)
    call = {"lead_id": "lead-1", "handoff_id": str(number), "channel": "call", "result": "silence"}
    early = {**call, "at": (MONDAY - timedelta(days=1)).isoformat()}  # not for this handoff at all
    land(
        office,
        "attempt",
        {**call, "at": called.isoformat()},
        early,
        at=MONDAY + timedelta(hours=5),
    )

    # By now the seller would have been late to answer, had there been no call.
    late = MONDAY + timedelta(hours=5, minutes=1)
    first, second = (
        sweep(make_sweep_context(office), late),
        sweep(make_sweep_context(office), late),
    )

    assert first.counts["attempt told"] == 1
    assert (first.counts["reassign"], first.counts["remind"]) == (0, 0)
    assert second.counts["attempt told"] == 0
    assert ask(office, "SELECT state, seller_id FROM handoff") == [("working", "ann")]
    with office.work(read_only=True) as work:
        row = get_handoff(work, number)
        runs = {run.clock: run for run in list_runs(list_moves(work, number))}
        pursued = read_pursuit(work, row, late, read_agreed(work))
    assert runs[Timed.ANSWER].stopped_at == called
    assert pursued is not None
    since, progress = pursued
    assert since == called
    assert [step.done_at for step in progress.steps if step.done_at] == [called]


def test_of_two_answers_at_once_the_second_sees_the_first(office: Store) -> None:
    handoff_id = hand_over(office)

    def refuse() -> None:
        with office.work() as work:
            reject(work, handoff_id, SalesReason.NO_BUDGET, None, ActionContext(SOON, "ann"))

    with ThreadPoolExecutor(1) as pool:
        with office.work() as work:
            accept(work, handoff_id, ActionContext(SOON, "ann"))
            other = pool.submit(refuse)
            wait_until_somebody_waits(office)
        with pytest.raises(ImpossibleMoveError):
            other.result()
    assert count(office, "SELECT state FROM handoff") == "accepted"


def test_a_handoff_that_was_read_before_is_locked_as_it_is_by_now(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        read_before = get_handoff(work, handoff_id)
        with office.work() as other:
            accept(other, handoff_id, ActionContext(SOON, "ann"))

        locked = lock_handoff(work, handoff_id)

        assert locked is read_before
        assert locked.state == "accepted"


@pytest.mark.parametrize(
    "event", [{"kind": "unsubscribe_all"}, {"kind": "form_submit", "name": "Do not contact!"}]
)
def test_who_unsubscribed_from_everything_is_not_handed_over(
    event: dict[str, str], office: Store
) -> None:
    add_lead(office, "lead-1")
    do(office, "lead-1", at=MONDAY - timedelta(days=3), **event)
    ask_for_sales(office, "lead-1", MONDAY)

    outcome = decide(office, "lead-1", MONDAY)

    assert outcome.handoff is None
    assert outcome.decision.suppressions == ("do_not_contact",)


def test_a_seller_acts_on_their_own_handoffs_alone(office: Store) -> None:
    handoff_id = hand_over(office)
    of_ann, of_ben = (make_key(office, Role.SALES, name).split("_")[1] for name in ("ann", "ben"))

    def may(role: Role, key: str) -> bool:
        with office.work() as work:
            try:
                return get_own(work, build_principal("key", key, key, role), handoff_id) > 0
            except NotYourHandoffError:
                return False

    with office.work() as work:
        name_actor(work, "ann", f"key:{of_ann}")
        name_actor(work, "ben", f"key:{of_ben}")
    assert count(office, "SELECT seller_id FROM handoff") == "ann"
    assert [may(Role.SALES, key) for key in (of_ann, of_ben, "of-nobody")] == [
        True,
        False,
        False,
    ]
    assert may(Role.CRM, "of-the-crm")


def test_a_question_pauses_the_clock_until_marketing_answers(office: Store) -> None:
    handoff_id = hand_over(office)
    with office.work() as work:
        ask_marketing(work, handoff_id, "which product?", ActionContext(SOON, "ann"))
    sweep(make_sweep_context(office), SOON + timedelta(hours=3))
    assert count(office, "SELECT state FROM handoff") == "assigned_asking"

    with office.work() as work:
        supply(work, handoff_id, None, ActionContext(SOON + timedelta(hours=3), "mia"))
    assert count(office, "SELECT state FROM handoff") == "assigned"


def test_whoever_does_not_answer_is_reminded_then_another_gets_the_lead(office: Store) -> None:
    handoff_id = hand_over(office)
    sweep_context = make_sweep_context(office)

    assert sweep(sweep_context, MONDAY + timedelta(minutes=35)).counts["remind"] == 1
    assert sweep(sweep_context, MONDAY + timedelta(minutes=40)).total == 0
    assert sweep(sweep_context, MONDAY + timedelta(minutes=61)).counts["escalate"] == 1
    assert sweep(sweep_context, MONDAY + timedelta(minutes=121)).counts["reassign"] == 1

    [(seller, state)] = ask(office, "SELECT seller_id, state FROM handoff")
    assert (seller, state) == ("ben", "assigned")
    ended = ask(office, "SELECT seller_id, ended_by FROM assignment ORDER BY 1")
    assert ended == [("ann", "answer_overdue"), ("ben", None)]
    assert count(office, "SELECT count(*) FROM stage_change WHERE stage = 'mql'") == 1
    with pytest.raises(ImpossibleMoveError), office.work() as work:
        give_back(work, handoff_id, SalesReason.BAD_FIT, None, ActionContext(SOON, "ann"))


def test_a_packet_is_held_until_it_holds_what_was_agreed(store: Store) -> None:
    agree(store, PLAYBOOK + '[packet]\nheld_without = ["product"]\nhold_hand_raisers = true\n')
    add_lead(store, "lead-1", attributes={"industry": "software"})
    ask_for_sales(store, "lead-1", MONDAY)
    outcome = decide(store, "lead-1", MONDAY)
    assert outcome.handoff is not None
    assert outcome.handoff.state == "held"
    assert count(store, "SELECT count(*) FROM stage_change") == 0

    add_lead(store, "lead-1", SOON, attributes={"industry": "software", "product": "crm"})
    with store.work() as work:
        row = supply(work, outcome.handoff.handoff_id, None, ActionContext(SOON, "mia"))
    assert (row.state, row.packet["product"]) == ("assigned", "crm")


def test_somebody_may_hand_over_by_a_reason_and_marketing_may_withdraw(office: Store) -> None:
    add_lead(office, "lead-1")
    bare = decide(office, "lead-1", MONDAY)
    assert bare.handoff is None
    manual = ManualRequest("mia", "we met at the fair")
    outcome = decide(office, "lead-1", MONDAY, manual=manual)
    assert outcome.handoff is not None
    with office.work() as work:
        hand_on(work, outcome.handoff.handoff_id, None, ActionContext(SOON, "ann"))
        row = withdraw(work, outcome.handoff.handoff_id, "a duplicate", ActionContext(SOON, "mia"))

    assert (row.state, row.seller_id) == ("withdrawn", "ben")
    assert count(office, "SELECT track FROM nurture_track") == "review"
    kept = ask(office, "SELECT verdict FROM decision ORDER BY decision_number")
    assert kept == [("keep",), ("hand_off",)]


def test_a_playbook_takes_effect_once_both_sides_have_signed_at_the_machine(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATON_DATABASE_URL", database_url)
    monkeypatch.setenv("BATON_ALLOW_UNSAFE_DURABILITY", "true")
    file = tmp_path / "playbook.toml"
    file.write_text(PLAYBOOK, encoding="utf-8")

    def sign(side: str, by: str) -> Result:
        words = ["playbook", "agree", str(file), "--as", side, "--by", by]
        return CliRunner().invoke(app, words)

    assert "it waits for sales" in sign("marketing", "mia").output
    refused = sign("sales", "mia")
    assert refused.exit_code == 1
    assert "Somebody else must agree for sales" in refused.stderr
    assert count(store, "SELECT state FROM playbook_version") == "draft"

    assert "it holds from now on" in sign("sales", "sam").output
    assert ask(store, "SELECT number, state FROM playbook_version") == [(1, "in_effect")]
    assert ask(store, "SELECT seller_id FROM seller ORDER BY 1") == [("ann",), ("ben",)]


def test_new_scores_have_leads_decided_about_by_a_job(office: Store, tmp_path: Path) -> None:
    clock = Clock(MONDAY)
    add_lead(office, "lead-1")
    ask_for_sales(office, "lead-1", MONDAY)
    model_holders = [make_model_holder(find_small_bundle(), clock)]
    scorer = make_scorer(
        office, tmp_path, clock, model_holders=model_holders, after=decide_after(model_holders)
    )
    drain(scorer)

    [(arguments,)] = ask(
        office, "SELECT args FROM procrastinate_jobs WHERE task_name = :name", name=DECIDE
    )
    assert arguments["lead_ids"] == ["lead-1"]
    result = decide_job(
        office, model_holders, arguments["lead_ids"], arguments["contract"], clock, unagreed=False
    )

    assert result.counts["handed over"] == 1
    assert count(office, "SELECT points FROM decision") > 0
    assert sweep_job(office, model_holders, clock, unagreed=False).counts["refused"] == 0


def test_the_moment_that_came_with_a_live_score_hands_a_lead_over(
    office: Store, tmp_path: Path
) -> None:
    clock = Clock(MONDAY)
    model_holders = [make_model_holder(write_timed_bundle(tmp_path / "timed"), clock)]
    scorer = make_scorer(office, tmp_path, clock, model_holders=model_holders)
    for lead_id in ("hot", "cold"):
        add_lead(office, lead_id)
    do(office, "hot", "pricing_view", MONDAY - timedelta(hours=1))
    do(office, "cold", "page_view", MONDAY - timedelta(hours=1))
    drain(scorer)
    clock.move(minutes=1)

    hot = decide(office, "hot", clock())
    cold = decide(office, "cold", clock())

    assert hot.handoff is not None
    assert hot.decision.trigger is Trigger.TIMING
    assert "the timing model says now (a handoff today is worth 2 more than waiting)" in (
        hot.decision.because
    )
    assert cold.handoff is None
    # No handoff of the past was like it, so nothing is said of its moment.
    assert "timing" not in cold.decision.because


def test_a_deal_that_rests_is_escalated_once_in_the_agreed_days_not_every_day(
    office: Store,
) -> None:
    number = hand_over(office)
    with office.work() as work:
        log_attempt(work, number, Tried(SOON, "call", "reached"), ActionContext(SOON, "ann"))
        qualify(work, number, QUALIFIED, ActionContext(SOON, "ann"))
        open_deal(work, number, ActionContext(SOON, "ann"))
    talk = {"lead_id": "lead-1", "handoff_id": str(number), "channel": "call", "result": "reached"}
    talked = SOON + timedelta(days=10)
    land(office, "attempt", {**talk, "at": talked.isoformat()}, at=talked)

    escalated = [
        day
        for day in range(1, 41)
        if sweep(make_sweep_context(office), SOON + timedelta(days=day)).counts["orphan: escalate"]
    ]

    # Fourteen days after the last word, and fourteen days after that.
    assert escalated == [24, 38]
