"""Whatever fails in the background says where: file, line and function, in the log and in its row."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from serving.jobs import tasks as tasks_module
from serving.jobs import worker as worker_module
from serving.jobs.queries import NO_TASK, NOT_NOTED, list_failed
from serving.jobs.tasks import (
    DIGESTS,
    DRAW,
    FORGET_ROWS,
    RESCORE,
    SCORE_LEAD,
    TASKS,
    TIDY,
    JobResources,
    build_jobs,
)
from serving.jobs.worker import Worker
from serving.notify.outbox import Outbox
from serving.scoring import models_in_use as served_module
from serving.scoring.live import worker as live_module
from serving.scoring.models_in_use import ModelCache, ModelGoneError
from serving.scoring.request.shadow import Shadow
from serving.scoring.request.shadow_scores import keep_shadow_scores
from serving.scoring.row_buffer import RowBuffer
from serving.store.deferring import QUEUE, defer
from serving.store.session import Store
from tests.integration.scores.job_resources import (
    Clock,
    ask,
    find_small_bundle,
    land,
    make_item,
    make_model_holder,
    make_scorer,
)
from tests.unit.serving.factories import wait_until, write_small_bundle

SECONDS = 30
ADDRESS = "ann@example.com"


def break_down(*_: Any, **__: Any) -> int:
    """Fail as a job would, with a value in the words."""
    raise ZeroDivisionError(ADDRESS)


PLACE = f"tests/integration/scores/test_failures.py:{break_down.__code__.co_firstlineno + 2} break_down"


def check_logged(logged: list[Any], event: str) -> dict[str, Any]:
    """Check that an event of the log names the class and the place of `break_down`."""
    output: dict[str, Any] = next(one for one in logged if one["event"] == event)
    assert output["error"] == "ZeroDivisionError"
    assert output["where"][-1] == PLACE
    assert ADDRESS not in str(logged)
    return output


def make_resources(store: Store, folder: Path, **changes: Any) -> JobResources:
    given: dict[str, Any] = {
        "hands_over": True,
        "announce_digests": break_down,
        "retry_seconds": 0,
    }
    scorer = make_scorer(store, folder, Clock())
    return JobResources(store, scorer, Outbox(store, {"mail": break_down}), **{**given, **changes})


def work_until(resources: JobResources, is_there: Callable[[], bool]) -> None:
    """Let a worker work until something has happened."""

    def wait() -> None:
        wait_until(is_there, seconds=SECONDS)

    async def work() -> None:
        worker = Worker(resources, check_seconds=0.05)
        worker.start()
        try:
            await asyncio.to_thread(wait)
        finally:
            await worker.stop()

    asyncio.run(work())


@pytest.mark.parametrize("loop", ["scores", "outbox", "watch"])
def test_a_loop_that_fails_states_where_and_goes_on(
    loop: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resources = make_resources(store, tmp_path)
    where = {
        "scores": (resources.scorer, "run_once"),
        "outbox": (resources.outbox, "run_once"),
        "watch": (resources.scorer, "look_at_queue"),
    }
    calls: list[int] = []

    def fail() -> int:
        calls.append(1)
        return break_down()

    monkeypatch.setattr(*where[loop], fail)
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(worker_module, "PATIENCE_SECONDS", 0.05)

    with capture_logs() as logged:
        work_until(resources, lambda: len(calls) > 1)

    assert check_logged(logged, "loop_failed")["loop"] == loop


def test_a_worker_of_jobs_that_cannot_begin_states_where(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "build_jobs", break_down)

    with capture_logs() as logged:
        work_until(
            make_resources(store, tmp_path),
            lambda: any(one["event"] == "jobs_interrupted" for one in logged),
        )

    check_logged(logged, "jobs_interrupted")


ARGUMENTS: dict[str, dict[str, Any]] = {
    RESCORE: {"version": "v", "after": ""},
    SCORE_LEAD: {"lead_id": "ann"},
    TIDY: {"timestamp": 0},
    DRAW: {"timestamp": 0},
    DIGESTS: {"timestamp": 0},
    tasks_module.DECIDE: {"lead_ids": ["ann"], "contract": "c"},
    tasks_module.DECIDE_PROPOSED: {},
    FORGET_ROWS: {"timestamp": 0},
    tasks_module.SWEEP: {"timestamp": 0},
}


def read_noted(store: Store, name: str) -> list[Any]:
    return ask(
        store,
        'SELECT p.problem, p."where" FROM job_problem p JOIN procrastinate_jobs j ON j.id = p.job_id'
        " WHERE j.task_name = :name",
        name=name,
    )


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_job_that_fails_states_where_in_the_log_and_in_its_row(
    name: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in (
        "rescore_next",
        "forget_rows",
        "decide_job",
        "decide_proposed_job",
        "sweep_job",
    ):
        monkeypatch.setattr(tasks_module, action, break_down)
    periodic = tuple((n, cron, break_down) for n, cron, _ in tasks_module.PERIODIC)
    monkeypatch.setattr(tasks_module, "PERIODIC", periodic)
    resources = make_resources(store, tmp_path)
    monkeypatch.setattr(resources.scorer, "score_lead", break_down)
    with store.work() as work:
        defer(work, name, ARGUMENTS[name])

    with capture_logs() as logged:
        work_until(resources, lambda: bool(read_noted(store, name)))

    mine = [one for one in logged if one.get("task") == name]
    check_logged(mine, "job_failed")
    ((problem, where), *_) = read_noted(store, name)
    assert (problem, where[-1]) == ("ZeroDivisionError", PLACE)


def test_the_jobs_that_are_named_are_those_there_are(store: Store, tmp_path: Path) -> None:
    app = build_jobs(make_resources(store, tmp_path), "postgresql://nowhere/baton")

    ours = {name for name, task in app.tasks.items() if task.queue == QUEUE}
    assert ours == TASKS == ARGUMENTS.keys()


def test_what_procrastinate_fails_by_itself_is_noted_too(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "WATCH_SECONDS", 0.05)
    resources = make_resources(store, tmp_path)
    with store.work() as work:
        defer(work, "baton.of_another_version", {"timestamp": 0})
        defer(work, SCORE_LEAD, {"lead": "misnamed"})
        # As if the database had been away while a job failed.
        work.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status)"
            " VALUES ('baton', %(name)s, 'failed')",
            {"name": TIDY},
        )

    def find() -> dict[str, Any]:
        with store.work(read_only=True) as work:
            return {job.task: job for job in list_failed(work, None, 10)}

    with capture_logs() as logged:
        work_until(resources, lambda: len(find()) == 3)

    failed = find()
    assert failed["baton.of_another_version"].problem == NO_TASK
    assert failed[TIDY].problem == NOT_NOTED
    assert failed[SCORE_LEAD].problem == "TypeError"
    assert failed[SCORE_LEAD].where[-1].startswith("procrastinate/")
    assert all(one["error"] for one in logged if one["event"] == "job_failed")
    output = {one["job"] for one in logged if one["event"] == "job_failed"}
    assert {job.job_id for job in failed.values()} <= output


def test_a_sender_that_fails_states_where(store: Store, tmp_path: Path) -> None:
    resources = make_resources(store, tmp_path)
    resources.outbox.now = resources.scorer.now
    with store.work() as work:
        work.enqueue_effect("a", "mail", {"to": ADDRESS}, resources.scorer.now())

    with capture_logs() as logged:
        resources.outbox.run_once()

    check_logged(logged, "effect_not_sent")
    assert ask(store, "SELECT last_problem FROM outbox_effect") == [
        (f"ZeroDivisionError in {PLACE}",)
    ]


def test_a_pass_and_a_lead_that_fail_state_where(store: Store, tmp_path: Path) -> None:
    clock = Clock()
    scorer = make_scorer(store, tmp_path, clock, after=break_down)
    land(store, "lead", make_item("ann"), at=clock())
    clock.move(seconds=1)

    with capture_logs() as logged:
        scorer.run_once()

    check_logged(logged, "scoring_pass_failed")
    check_logged(logged, "lead_set_aside")


def test_a_shadow_that_fails_states_where(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    challenger = write_small_bundle(tmp_path / "challenger", bias=-1.0, name="two")
    scorer = make_scorer(store, tmp_path, clock)
    rows = RowBuffer(store, keep_shadow_scores, most_rows=100)
    scorer.shadow = Shadow(make_model_holder(challenger, clock), rows, most_events=100)
    land(store, "lead", make_item("ann"), at=clock())
    clock.move(seconds=1)
    monkeypatch.setattr(live_module, "judge", break_down)
    monkeypatch.setattr(scorer.shadow, "_score", break_down)

    with capture_logs() as live:
        scorer.run_once()
    with capture_logs() as asked:
        scorer.shadow.score([])

    check_logged(live, "shadow_failed")
    check_logged(asked, "shadow_failed")


def test_a_bundle_that_cannot_be_loaded_states_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    holder = make_model_holder(find_small_bundle(), clock)
    model_cache = ModelCache(tmp_path / "served")
    monkeypatch.setattr("serving.champion.load_champion", break_down)
    monkeypatch.setattr(served_module, "load_champion", break_down)

    with capture_logs() as logged, pytest.raises(ModelGoneError):
        model_cache.get("v", clock())
    check_logged(logged, "past_bundle_refused")
    holder.forget()
    with capture_logs() as logged:
        holder.refresh(clock())
    check_logged(logged, "champion_refused")
