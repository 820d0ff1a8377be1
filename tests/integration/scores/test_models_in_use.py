"""Which model speaks: swapped while at work, several side by side, asked again as of then."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from features.clock import now
from serving.jobs.tasks import rescore_next
from serving.scoring.models_in_use import ModelGoneError, UnknownContractError, choose_champion
from serving.scoring.replay import NoModelThenError
from serving.scoring.request.shadow import ChallengerHolder, Shadow
from serving.scoring.request.shadow_scores import keep_shadow_scores, read_shadow_scores
from serving.scoring.row_buffer import RowBuffer
from serving.store.session import Store
from tests.integration.scores.job_resources import (
    Clock,
    ask,
    drain,
    land,
    make_event,
    make_item,
    make_model_holder,
    make_scorer,
    read_stored,
    replay_at,
)
from tests.unit.serving.factories import write_small_bundle
from training.bundle import Contract, install_champion

WON = Contract("won", 90.0, "won within 90 days")


def link(folder: Path, bundle: Path) -> Path:
    install_champion(bundle, folder / "in_use")
    return folder / "in_use"


def test_a_new_champion_is_written_down_and_everyone_is_scored_by_it(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    first = write_small_bundle(tmp_path / "first")
    second = write_small_bundle(tmp_path / "second", bias=-1.0)
    holder = make_model_holder(link(tmp_path, first), clock)
    scorer = make_scorer(store, tmp_path, clock, model_holders=[holder])
    for name in ("ann", "bob"):
        land(store, "lead", make_item(name), at=clock())
    clock.move(seconds=1)
    drain(scorer)
    clock.move(days=1)
    old = holder.get_champion().bundle.version

    link(tmp_path, second)
    holder.refresh(clock())
    new = holder.get_champion().bundle.version
    drain(scorer)
    jobs = ask(
        store,
        "SELECT args->>'version' FROM procrastinate_jobs WHERE task_name = 'baton.rescore_everyone' ORDER BY id",
    )
    with store.work() as work:
        rescore_next(work, new, "", clock())
        rescore_next(work, old, "", clock())  # not in use any more: nobody is scored for it
    clock.move(seconds=1)
    drain(scorer)

    assert jobs == [(old,), (new,)]
    used = ask(store, "SELECT version, retired_at IS NULL FROM bundle_version ORDER BY use_number")
    assert used == [(old, False), (new, True)]
    for name in ("ann", "bob"):
        given = read_stored(store, name)
        assert msgspec.json.decode(bytes(given[-1][1]))["model"]["version"] == new
        assert given[-1][3] == "model"
        for as_of, answer, *_ in given:
            assert replay_at(scorer, name, as_of, anew=True) == bytes(answer)


def test_the_model_of_then_is_asked_though_its_folder_is_gone(
    store: Store, tmp_path: Path
) -> None:
    from shutil import rmtree

    clock = Clock()
    first = write_small_bundle(tmp_path / "first")
    second = write_small_bundle(tmp_path / "second", bias=-1.0)
    holder = make_model_holder(link(tmp_path, first), clock)
    scorer = make_scorer(store, tmp_path, clock, model_holders=[holder])
    land(store, "lead", make_item("ann"), at=clock())
    clock.move(seconds=1)
    drain(scorer)
    old = holder.get_champion().bundle.version
    between = clock.move(hours=1)
    clock.move(hours=1)
    link(tmp_path, second)
    holder.refresh(clock())
    drain(scorer)
    rmtree(first)

    fresh = make_scorer(store, tmp_path, clock, model_holders=[holder])  # nothing in memory
    replayed = msgspec.json.decode(replay_at(fresh, "ann", between))
    assert replayed["model"]["version"] == old
    with pytest.raises(NoModelThenError):
        replay_at(fresh, "ann", between - timedelta(days=5))
    rmtree(tmp_path / "served" / old)
    with pytest.raises(ModelGoneError, match=old):
        replay_at(make_scorer(store, tmp_path, clock, model_holders=[holder]), "ann", between)


def test_several_contracts_are_served_side_by_side(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    main = make_model_holder(write_small_bundle(tmp_path / "sql"), clock)
    # Of another catalogue, too: what it needs is packed for that pass.
    won = write_small_bundle(tmp_path / "won", bias=-3.0, contract=WON, accounts=True)
    model_holders = [main, make_model_holder(won, clock)]
    scorer = make_scorer(store, tmp_path, clock, model_holders=model_holders)
    land(store, "lead", make_item("ann"), at=clock())
    land(store, "event", make_event("ann", "e", clock() - timedelta(hours=1)), at=clock())
    clock.move(seconds=1)
    drain(scorer)

    given = read_stored(store, "ann")
    assert sorted(row[4] for row in given) == ["SQL within 30 days", "won within 90 days"]
    assert all(row[2] for row in given)
    for as_of, answer, _, _, contract in given:
        assert replay_at(scorer, "ann", as_of, contract=contract, anew=True) == bytes(answer)
    prints = ask(store, "SELECT fingerprint FROM packed_history")
    assert prints == [(main.get_champion().bundle.catalog.fingerprint,)]
    with pytest.raises(UnknownContractError, match="in use"):
        choose_champion(model_holders, "bought within a day")


@pytest.mark.parametrize("accounts", [False, True])
def test_a_challenger_scores_the_same_leads_in_the_shadow(
    store: Store, tmp_path: Path, accounts: bool
) -> None:
    clock = Clock()
    write_small_bundle(tmp_path / "challenger", bias=-1.0, accounts=accounts)
    holder = ChallengerHolder(tmp_path / "challenger", role="challenger")
    holder.refresh(now())
    rows = RowBuffer(store, keep_shadow_scores, most_rows=100)
    shadow = Shadow(holder, rows, most_events=100)
    scorer = make_scorer(store, tmp_path, clock, shadow=shadow)
    for name in ("ann", "bob"):
        land(store, "lead", make_item(name), at=clock())
    clock.move(seconds=1)
    drain(scorer)

    assert (shadow.scored, shadow.failures) == (2, 0)
    rows.flush()
    with store.work(read_only=True) as work:
        (found,) = read_shadow_scores(work)
    (ann, _) = read_stored(store, "ann"), read_stored(store, "bob")
    answer = msgspec.json.decode(bytes(ann[0][1]))
    own = [row for row in found if row.as_of == ann[0][0]]
    assert len(found) == 2
    assert own[0].champion_points == pytest.approx(answer["points_uncut"])
    assert own[0].champion_band == answer["band"]["name"]
    assert own[0].challenger_probability > own[0].champion_probability
