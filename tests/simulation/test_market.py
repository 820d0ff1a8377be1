"""The made-up market: repeatable, in order, whole."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.clock import to_us
from features.lifecycle.stages import Stage
from features.simulation.errors import TooFewLeadsError, UnknownScenarioError
from features.simulation.generate import SimulatedMarket, simulate_history
from features.simulation.scenarios import SCENARIOS, get_scenario
from features.taxonomy import default_taxonomy

TABLES = ("leads", "events", "stages", "attempts")
TRUTHS = ("truth", "chances", "handoffs")


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate_history(get_scenario("plain"), n_leads=3000, seed=11)


def read_us(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int64()).to_numpy()


def read_numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Read the number in ids such as L0000042."""
    return pc.utf8_slice_codeunits(column, 1).cast(pa.int64()).to_numpy()


def creation_us(market: SimulatedMarket, lead_ids: pa.ChunkedArray) -> np.ndarray:
    leads = market.history.leads
    created = dict(
        zip(leads["lead_id"].to_pylist(), read_us(leads["created_at"]).tolist(), strict=True)
    )
    return np.array([created[lead_id] for lead_id in lead_ids.to_pylist()])


def test_the_same_seed_gives_identical_tables() -> None:
    # given
    world = get_scenario("plain")

    # when
    first, second = (simulate_history(world, n_leads=300, seed=5) for _ in range(2))

    # then
    for name in TABLES:
        assert getattr(first.history, name).equals(getattr(second.history, name)), name
    for name in TRUTHS:
        assert getattr(first, name).equals(getattr(second, name)), name
    assert first.history.about == second.history.about


def test_another_seed_gives_another_market() -> None:
    # when
    first, second = (
        simulate_history(get_scenario("plain"), n_leads=300, seed=seed) for seed in (5, 6)
    )

    # then
    for name in TABLES:
        assert not getattr(first.history, name).equals(getattr(second.history, name)), name


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_passes_the_checks_of_the_contracts(scenario: str) -> None:
    # when
    market = simulate_history(get_scenario(scenario), n_leads=200, seed=1)

    # then
    market.history.check()
    assert market.history.about.notes["scenario"] == scenario


@pytest.mark.parametrize("n_leads", [1, 2, 5])
def test_a_market_of_a_few_leads_is_whole(n_leads: int) -> None:
    # when
    market = simulate_history(get_scenario("plain"), n_leads=n_leads, seed=3)

    # then
    market.history.check()
    assert len(market.truth) == n_leads
    assert pc.count_distinct(market.history.leads["lead_id"]).as_py() == n_leads


def test_a_market_of_nobody_is_refused() -> None:
    with pytest.raises(TooFewLeadsError, match="--leads"):
        simulate_history(get_scenario("plain"), n_leads=0, seed=3)


def test_an_unknown_scenario_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UnknownScenarioError, match="no_signal"):
        get_scenario("nowhere")


def test_nothing_is_known_before_it_happened_or_at_or_after_the_cut(
    market: SimulatedMarket,
) -> None:
    # given
    history = market.history
    cut_us = to_us(history.about.observed_until)
    happened = {"events": "occurred_at", "stages": "at", "attempts": "at", "leads": "created_at"}

    # then
    for name, moment in happened.items():
        table = getattr(history, name)
        at, known_at = read_us(table[moment]), read_us(table["known_at"])
        assert (known_at >= at).all(), name
        assert known_at.max() < cut_us, name


def test_nothing_happens_before_the_lead_is_created(market: SimulatedMarket) -> None:
    # given
    history = market.history

    # then
    for table, moment in (
        (history.events, "occurred_at"),
        (history.stages, "at"),
        (history.attempts, "at"),
    ):
        assert (read_us(table[moment]) >= creation_us(market, table["lead_id"])).all()


def test_the_first_version_of_a_lead_is_known_at_its_creation(market: SimulatedMarket) -> None:
    # given
    leads = market.history.leads
    lead = read_numbers(leads["lead_id"])
    is_first = np.r_[True, lead[1:] != lead[:-1]]

    # then
    known_at, created_at = read_us(leads["known_at"]), read_us(leads["created_at"])
    assert is_first.sum() == 3000
    assert (known_at[is_first] == created_at[is_first]).all()
    assert (np.diff(known_at)[~is_first[1:]] > 0).all()
    assert (~is_first).sum() > 500


def test_later_versions_fill_gaps_and_contradict_only_the_job(market: SimulatedMarket) -> None:
    # given
    leads = market.history.leads.to_pylist()
    pairs = [
        (early, late)
        for early, late in itertools.pairwise(leads)
        if early["lead_id"] == late["lead_id"]
    ]
    may_change = {"known_at", "job_title", "seniority", "department"}

    # then
    filled = 0
    for early, late in pairs:
        for name in early.keys() - may_change:
            filled += early[name] is None and late[name] is not None
            assert early[name] is None or early[name] == late[name], name
    assert filled > 100


def test_every_kind_of_the_taxonomy_happens_under_its_raw_name(market: SimulatedMarket) -> None:
    # given
    taxonomy = default_taxonomy()
    pairs = market.history.events.group_by(["kind", "name", "channel"]).aggregate([])

    # then
    assert set(pairs["kind"].to_pylist()) == set(taxonomy.kind_names)
    assert set(pairs["channel"].to_pylist()) <= set(taxonomy.channels)
    for row in pairs.to_pylist():
        assert taxonomy.kind_of(row["name"]) == row["kind"]


def test_event_ids_are_unique(market: SimulatedMarket) -> None:
    events = market.history.events
    assert pc.count_distinct(events["event_id"]).as_py() == events.num_rows


def test_some_events_arrive_late_and_none_later_than_three_days(market: SimulatedMarket) -> None:
    # given
    events = market.history.events
    wait_days = (read_us(events["known_at"]) - read_us(events["occurred_at"])) / 86_400e6

    # then
    assert 0.03 < (wait_days > 0).mean() < 0.25
    assert wait_days.max() <= 3.0 + 1e-6
    assert (wait_days > 1).sum() > 100


def test_stages_follow_the_funnel(market: SimulatedMarket) -> None:
    # given
    may_follow = {
        None: {"lead"},
        "lead": {"mql", "sql", "lost"},
        "mql": {"sal", "returned"},
        "sal": {"sql", "returned", "lost"},
        "returned": {"mql", "sql", "lost"},
        "sql": {"opportunity", "lost"},
        "opportunity": {"won", "lost"},
        "lost": {"mql"},
        "won": set(),
    }
    stage_then: dict[str, str] = {}
    rows = sorted(
        market.history.stages.select(["lead_id", "at", "stage"]).to_pylist(),
        key=lambda row: (row["lead_id"], row["at"]),
    )

    # then: only rows whose predecessor was entered after the cut may jump, and there are few
    jumps = 0
    for row in rows:
        jumps += row["stage"] not in may_follow[stage_then.get(row["lead_id"])]
        stage_then[row["lead_id"]] = row["stage"]
    assert {row["stage"] for row in rows} == {str(stage) for stage in Stage}
    assert jumps <= 5


def test_open_leads_stay_open_at_the_cut(market: SimulatedMarket) -> None:
    # given: the truth knows what the history cannot
    cut_us = to_us(market.history.about.observed_until)
    sql_us = read_us(market.truth["sql_at"].drop_null())

    # then
    assert (sql_us >= cut_us).any()
    assert (sql_us < cut_us).sum() > 300


def test_signals_reasons_actors_and_amounts_are_where_they_belong(market: SimulatedMarket) -> None:
    # given
    by_stage: dict[str, list[dict[str, object]]] = {}
    for row in market.history.stages.to_pylist():
        by_stage.setdefault(row["stage"], []).append(row)

    # then
    assert {row["signal"] for row in by_stage["mql"]} == {
        "threshold",
        "discretionary",
        "hand_raiser",
    }
    assert {row["reason"] for row in by_stage["returned"]} == {
        "no_budget",
        "too_early",
        "wrong_person",
        "unreachable",
    }
    assert all(row["reason"] for row in by_stage["lost"])
    assert all(row["actor"] for rows in by_stage.values() for row in rows)
    for stage, rows in by_stage.items():
        assert all(
            (row["amount"] is not None) == (stage in {"won", "opportunity"}) for row in rows
        )


def test_nurture_mails_pause_while_sales_has_the_lead(market: SimulatedMarket) -> None:
    # given
    events = market.history.events.filter(pc.equal(market.history.events["kind"], "email_receive"))
    stages = market.history.stages
    key = read_numbers(stages["lead_id"]) * 10**13 + read_us(stages["at"]) // 1000
    order = np.argsort(key, kind="stable")
    stage = np.array(stages["stage"].to_pylist())[order]
    mail = read_numbers(events["lead_id"]) * 10**13 + read_us(events["occurred_at"]) // 1000

    # when
    stage_then = stage[np.searchsorted(key[order], mail, side="right") - 1]

    # then: at most a few whose stage change was entered after the cut
    assert np.isin(stage_then, ["mql", "sal", "sql", "opportunity", "won"]).sum() <= 5


def test_progress_is_reported_from_start_to_end() -> None:
    # given
    reported: dict[str, list[tuple[int, int]]] = {}

    # when
    simulate_history(
        get_scenario("plain"),
        n_leads=50,
        seed=1,
        progress=lambda step, done, total: reported.setdefault(step, []).append((done, total)),
    )

    # then
    assert len(reported) == 3
    for steps in reported.values():
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]
