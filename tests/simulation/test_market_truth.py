"""The truth of the made-up markets: what is built in can be found again."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.clock import DAY_US, to_us
from features.simulation.generate import SimulatedMarket, simulate_history
from features.simulation.scenarios import get_scenario

BIG = 10_000.0


@pytest.fixture(scope="module")
def plain() -> SimulatedMarket:
    return simulate_history(get_scenario("plain"), n_leads=8000, seed=21)


def read_day(market: SimulatedMarket, column: pa.ChunkedArray) -> np.ndarray:
    start = market.history.about.observed_from
    assert start is not None
    return (column.cast(pa.int64()).to_numpy() - to_us(start)) / DAY_US


def read_lead(table: pa.Table) -> np.ndarray:
    return pc.utf8_slice_codeunits(table["lead_id"], 1).cast(pa.int64()).to_numpy()


def read_flags(column: pa.ChunkedArray) -> np.ndarray:
    return column.to_numpy().astype(bool)


def keep(table: pa.Table, column: str, *values: str) -> pa.Table:
    return table.filter(pc.is_in(table[column], pa.array(values)))


def happens_within(
    lead: np.ndarray, day: np.ndarray, of_lead: np.ndarray, at: np.ndarray, days: float
) -> np.ndarray:
    """Tell for each lead and day whether something of that lead happens in the next ``days``."""
    key = np.sort(of_lead * BIG + at)
    start = lead * BIG + day
    return np.searchsorted(key, start + days) > np.searchsorted(key, start)


def weekly_snapshots(market: SimulatedMarket) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay out open leads every week, and whether each reaches SQL within 30 days."""
    leads, stages = market.history.leads, market.history.stages
    created = np.full(len(market.truth), np.inf)
    created[read_lead(leads)] = read_day(market, leads["created_at"])
    weeks = np.arange(7.0, 425.0 - 30.0, 7.0)
    lead, week = np.nonzero(weeks[None, :] > created[:, None])
    key = read_lead(stages) * BIG + read_day(market, stages["at"])
    order = np.argsort(key, kind="stable")
    stage = np.array(stages["stage"].to_pylist())[order]
    stage_then = stage[np.searchsorted(key[order], lead * BIG + weeks[week]) - 1]
    is_open = np.isin(stage_then, ["lead", "mql", "sal", "returned"])
    lead, day = lead[is_open], weeks[week[is_open]]
    reached = keep(stages, "stage", "sql", "opportunity", "won")
    label = happens_within(
        lead, day, read_lead(reached), read_day(market, reached["at"]), days=30.0
    )
    return lead, day, label


def test_lookers_never_win(plain: SimulatedMarket) -> None:
    # given
    lookers = pc.is_null(keep(plain.truth, "type", "looker")["won_at"])
    buyers = pc.is_null(keep(plain.truth, "type", "buyer")["won_at"])

    # then
    assert pc.all(lookers).as_py()
    assert not pc.all(buyers).as_py()


def test_lookers_are_as_busy_as_buyers_and_the_silent_are_not(plain: SimulatedMarket) -> None:
    # given
    events = plain.history.events.filter(pc.equal(plain.history.events["kind"], "page_view"))
    views = np.bincount(read_lead(events), minlength=len(plain.truth))
    types = np.array(plain.truth["type"].to_pylist())

    # then
    mean = {name: views[types == name].mean() for name in ("buyer", "looker", "silent")}
    assert mean["looker"] > 0.8 * mean["buyer"]
    assert mean["silent"] < 0.4 * mean["buyer"]


def test_about_one_open_lead_in_twenty_reaches_sql_within_30_days(plain: SimulatedMarket) -> None:
    # when
    _, _, label = weekly_snapshots(plain)

    # then
    assert 0.04 < label.mean() < 0.08


def test_outcomes_follow_the_chances_they_were_drawn_from(plain: SimulatedMarket) -> None:
    # given
    chance = plain.handoffs["p_sql"].to_numpy()
    is_sql = read_flags(plain.handoffs["is_sql"])

    # then: in each fifth, within four standard errors
    edges = np.quantile(chance, [0.2, 0.4, 0.6, 0.8])
    fifth = np.searchsorted(edges, chance)
    for part in range(5):
        here = fifth == part
        error = np.sqrt(np.mean(chance[here] * (1 - chance[here])) / here.sum())
        assert abs(is_sql[here].mean() - chance[here].mean()) < 4 * error


def test_intent_raises_the_chance_and_waiting_lowers_it(plain: SimulatedMarket) -> None:
    # given
    handoffs = plain.handoffs
    intent = handoffs["intent"].to_numpy()
    chance = handoffs["p_qualify"].to_numpy()
    wait = read_day(plain, handoffs["answered_at"]) - read_day(plain, handoffs["at"])
    similar = (intent > 0.3) & (intent < 0.7) & (handoffs["returns_before"].to_numpy() == 0)

    # then
    assert chance[intent > 1].mean() > 2 * chance[intent < 0.2].mean()
    assert chance[similar & (wait > 4)].mean() < chance[similar & (wait < 1)].mean()


@pytest.mark.parametrize("signal", ["threshold", "discretionary"])
def test_at_equal_intent_a_better_fit_is_handed_off_more_often(
    plain: SimulatedMarket, signal: str
) -> None:
    # given
    chances = plain.chances
    lead, day = read_lead(chances), read_day(plain, chances["at"])
    intent = chances["intent"].to_numpy()
    fit = plain.truth["fit"].to_numpy()[lead]
    handed = keep(plain.handoffs, "signal", signal)
    soon = happens_within(lead, day, read_lead(handed), read_day(plain, handed["at"]), days=7.0)

    # then
    for low, high in ((0.1, 0.4), (0.4, 0.8)):
        alike = (intent >= low) & (intent < high)
        assert soon[alike & (fit > 0.7)].mean() > 1.3 * soon[alike & (fit < -0.7)].mean()


def test_only_in_the_confounded_world_do_sellers_pick_by_what_the_log_does_not_hold(
    plain: SimulatedMarket,
) -> None:
    # given
    confounded = simulate_history(get_scenario("confounded"), n_leads=8000, seed=21)

    # when
    need = {}
    for market in (plain, confounded):
        picked = keep(market.handoffs, "signal", "discretionary")
        first = picked.filter(pc.equal(picked["returns_before"], 0))
        name = market.history.about.notes["scenario"]
        need[name] = market.truth["need"].to_numpy()[read_lead(first)].mean()

    # then
    assert abs(need["plain"]) < 0.15
    assert need["confounded"] > 0.4


def test_returned_leads_come_again_and_convert_worse(plain: SimulatedMarket) -> None:
    # given
    again = plain.handoffs["returns_before"].to_numpy() > 0
    is_sql = read_flags(plain.handoffs["is_sql"])

    # then
    assert plain.history.stages["stage"].to_pylist().count("returned") > 500
    assert again.sum() > 200
    assert is_sql[again].mean() < 0.75 * is_sql[~again].mean()


def test_small_firms_leave_more_fields_blank(plain: SimulatedMarket) -> None:
    # given: revenue is often known where the size is not, and tells it
    leads = plain.history.leads
    known = leads.filter(pc.is_valid(leads["annual_revenue"]))
    small = np.asarray(pc.less(known["annual_revenue"], 5e6))
    no_title = np.asarray(pc.is_null(known["job_title"]))

    # then
    assert no_title[small].mean() > 1.3 * no_title[~small].mean()


def test_colleagues_share_an_account_and_its_fate(plain: SimulatedMarket) -> None:
    # given
    leads = plain.history.leads
    account = np.full(len(plain.truth), -1)
    rows = leads.filter(pc.is_valid(leads["account_id"]))
    account[read_lead(rows)] = (
        pc.utf8_slice_codeunits(rows["account_id"], 1).cast(pa.int64()).to_numpy()
    )
    is_sql = read_flags(pc.is_valid(plain.truth["sql_at"]))

    # when: each lead of a firm beside the next one of the same firm
    order = np.argsort(account, kind="stable")
    order = order[account[order] >= 0]
    pairs = account[order][1:] == account[order][:-1]
    one, other = order[:-1][pairs], order[1:][pairs]

    # then
    assert pairs.sum() > 1500
    assert is_sql[other][is_sql[one]].mean() > 1.2 * is_sql[other][~is_sql[one]].mean()


def test_the_week_and_the_drift_of_sources_show(plain: SimulatedMarket) -> None:
    # given
    leads = plain.history.leads
    day = read_day(plain, leads["created_at"])
    social = np.asarray(pc.equal(leads["source"], "social"))

    # then
    weekend = np.floor(day) % 7 >= 5
    assert 0.06 < weekend.mean() < 0.2
    assert social[day > 280].mean() > 1.15 * social[day < 140].mean()


def test_without_signal_no_group_of_leads_reaches_sql_more_often() -> None:
    # given
    market = simulate_history(get_scenario("no_signal"), n_leads=8000, seed=21)
    lead, day, label = weekly_snapshots(market)
    events = market.history.events
    asked = keep(events, "kind", "demo_request", "pricing_view")
    clues = {
        "fit": market.truth["fit"].to_numpy()[lead] > 0,
        "need": market.truth["need"].to_numpy()[lead] > 0,
        "looker": np.array(market.truth["type"].to_pylist())[lead] == "looker",
        "asked in the last month": happens_within(
            lead, day - 30, read_lead(asked), read_day(market, asked["occurred_at"]), days=30.0
        ),
    }

    # then: five errors of a mean over leads (weeks of one lead are not independent)
    error = np.sqrt(label.mean() / len(np.unique(lead)))
    assert 0.03 < label.mean() < 0.08
    for clue, has_it in clues.items():
        assert abs(label[has_it].mean() - label[~has_it].mean()) < 5 * error, clue


def test_the_leaky_world_has_a_field_that_knows_the_outcome(plain: SimulatedMarket) -> None:
    # given
    leaky = simulate_history(get_scenario("leaky"), n_leads=3000, seed=21)
    leads = leaky.history.leads
    first = leads.filter(pc.equal(leads["known_at"], leads["created_at"]))
    filled = np.asarray(pc.is_valid(first["contract_type"]))
    reached = np.unique(read_lead(keep(leaky.history.stages, "stage", "sql")))
    is_sql = np.isin(read_lead(first), reached)

    # then: back-filled over the row of the first day
    assert filled[is_sql].mean() > 0.8
    assert filled[~is_sql].mean() < 0.1
    assert "contract_type" not in plain.history.leads.column_names
