"""Several workers at once, and workers that die: no lead is lost, none scored twice for one cause."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from features import clock as wall
from features.clock import MICROSECOND
from serving.jobs.queries import list_failed, recover_stalled, try_again
from serving.scoring.live.score import score_leads
from serving.scoring.live.worker import LiveScorer
from serving.scoring.models_in_use import list_served
from serving.store.deferring import defer
from serving.store.session import Store
from tests.integration.scores.job_resources import (
    Clock,
    ask,
    drain,
    land,
    make_event,
    make_item,
    make_scorer,
)
from tests.unit.serving.factories import wait_until

LEADS = 40


def add_leads(store: Store, times: int = 1) -> None:
    items = [make_item(f"lead-{n:03}") for n in range(LEADS)]
    for turn in range(times):
        for item in items:
            item["attributes"]["employees"] = 100 + turn
        land(store, "lead", *items, at=wall.now())


def count_scores(store: Store) -> dict[str, int]:
    return dict(ask(store, "SELECT lead_id, count(*) FROM score GROUP BY 1"))


def test_two_workers_at_once_score_each_lead_once(store: Store, tmp_path: Path) -> None:
    add_leads(store)
    scorers = [make_scorer(store, tmp_path, wall.now, most=7) for _ in range(2)]
    scorers[0].note_champions()
    scorers[1].note_champions()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(drain, scorers))

    assert count_scores(store) == {f"lead-{n:03}": 1 for n in range(LEADS)}
    assert ask(store, "SELECT count(*) FROM score_due WHERE because <> 'time'") == [(0,)]
    assert ask(store, "SELECT count(*), count(DISTINCT lead_id) FROM score_due") == [
        (LEADS, LEADS)
    ]


def test_leads_listed_several_times_are_scored_and_none_is_left(
    store: Store, tmp_path: Path
) -> None:
    add_leads(store, times=3)
    scorers = [make_scorer(store, tmp_path, wall.now, most=7) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(drain, scorers))
    drain(scorers[0])

    found = count_scores(store)
    assert set(found) == {f"lead-{n:03}" for n in range(LEADS)}
    assert ask(store, "SELECT count(*) FROM score_due WHERE because <> 'time'") == [(0,)]
    latest = ask(store, "SELECT lead_id, count(*) FROM score WHERE is_latest GROUP BY 1")
    assert {n for _, n in latest} == {1}
    moments = ask(store, "SELECT count(*), count(DISTINCT (lead_id, as_of)) FROM score")
    assert moments[0][0] == moments[0][1]


def score_as_seen(store: Store, scorer: LiveScorer, seen_at: datetime, because: str) -> int:
    """Score ann as a worker that saw her due back then, and only now gets the lock."""
    served = list_served(scorer.model_holders)
    with store.work() as work:
        scored = score_leads(work, served, {"ann": [because]}, seen_at, scorer.now)
    return sum(len(one.lead_ids) for one in scored)


def test_a_lead_that_another_worker_served_meanwhile_is_not_scored_again(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    seen_at = clock.move(seconds=1)
    clock.move(seconds=1)
    drain(scorer)  # the other worker, while this one waits for the lock
    clock.move(seconds=1)

    assert score_as_seen(store, scorer, seen_at, "event") == 0
    assert count_scores(store) == {"ann": 1}


def test_what_the_other_worker_could_not_know_or_had_no_model_for_is_scored(
    store: Store, tmp_path: Path
) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    seen_at = clock.move(seconds=1)
    clock.move(seconds=1)
    drain(scorer)
    ((last_scored_as_of,),) = ask(store, "SELECT last_scored_as_of FROM lead")
    # A server whose clock is behind that of the worker takes an event in.
    behind = last_scored_as_of - timedelta(seconds=1)
    land(store, "event", make_event("ann", "e1", behind), at=behind)

    assert score_as_seen(store, scorer, seen_at, "event") == 1
    assert score_as_seen(store, scorer, seen_at, "model") == 1
    assert score_as_seen(store, scorer, clock.move(seconds=1), "event") == 1
    assert count_scores(store) == {"ann": 4}


def test_a_clock_that_stands_still_gives_no_moment_twice(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock)
    land(store, "lead", make_item("ann"), at=clock())
    clock.move(seconds=1)

    for _ in range(3):
        assert score_as_seen(store, scorer, clock(), "model") == 1

    moments = [at for (at,) in ask(store, "SELECT as_of FROM score ORDER BY score_number")]
    assert moments == [clock() + n * MICROSECOND for n in range(3)]


KILLED = """
import sys, time
from pathlib import Path
from features import clock
from serving.settings import ServingSettings
from serving.store.session import Store
from tests.integration.scores.job_resources import make_scorer
store = Store(ServingSettings(database_url=sys.argv[1], allow_unsafe_durability=True))
store.open()
def hang(work, given):
    Path(sys.argv[2], "scored").touch()
    time.sleep(600)
make_scorer(store, Path(sys.argv[2]), clock.now, after=hang).run_once()
"""


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_pass_leaves_nothing_half_done(
    store: Store, tmp_path: Path, database_url: str
) -> None:
    add_leads(store)
    scorer = make_scorer(store, tmp_path, wall.now)
    scorer.note_champions()
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url, str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    wait_until((tmp_path / "scored").exists, seconds=120)
    process.send_signal(signal.SIGKILL)
    process.wait()

    # The server ends the dead worker's transaction when it notices; locks wait for that.
    wait_until(lambda: scorer.run_once() > 0, seconds=30)
    drain(scorer)

    assert count_scores(store) == {f"lead-{n:03}": 1 for n in range(LEADS)}


def begin_job(store: Store, task: str, attempts: int) -> int:
    """Make a job that a worker began before it died."""
    with store.work() as work:
        job = defer(work, task, {"version": "none", "after": ""})
        worker = work.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) "
            "VALUES (now() - interval '5 minutes') RETURNING id"
        ).scalar()
        work.session.execute(
            text(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = :worker, "
                "attempts = :attempts WHERE id = :job"
            ),
            {"worker": worker, "job": job, "attempts": attempts},
        )
    return job


def read_status(store: Store, job: int) -> str:
    return ask(store, "SELECT status::text FROM procrastinate_jobs WHERE id = :job", job=job)[0][0]


def test_jobs_of_a_dead_worker_run_again_but_not_for_ever(store: Store) -> None:
    young = begin_job(store, "baton.rescore_everyone", attempts=0)
    deadly = begin_job(store, "baton.score_lead", attempts=4)
    at = Clock()()

    with store.work() as work:
        assert recover_stalled(work, 20.0, 5, at) == (1, 1)

    assert read_status(store, young) == "todo"
    with store.work() as work:
        assert [(j.job_id, j.problem) for j in list_failed(work, None, 10)] == [
            (deadly, "WorkerDied")
        ]
        assert try_again(work, deadly)
        assert not try_again(work, young)
    assert read_status(store, deadly) == "todo"


def test_a_job_of_a_living_worker_is_left_alone(store: Store) -> None:
    job = begin_job(store, "baton.rescore_everyone", attempts=0)
    with store.work() as work:
        work.execute("UPDATE procrastinate_workers SET last_heartbeat = now()")
    with store.work() as work:
        assert recover_stalled(work, 20.0, 5, Clock()()) == (0, 0)
    assert read_status(store, job) == "doing"
