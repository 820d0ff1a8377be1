"""Killed under load, nothing that was confirmed is lost, and nothing is done twice."""

import json
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from serving.intake.api import records as routes
from serving.intake.envelope import open_envelope
from serving.intake.records.parsing import Intake
from serving.notify.outbox import Outbox
from serving.store.session import Store
from tests.crash.points import POINTS, wrap
from tests.crash.run import Plan, run_control, run_crashes
from tests.integration.scores.job_resources import CATALOG, Clock, ask, make_event, make_scorer


@pytest.mark.slow
def test_nothing_confirmed_is_lost_or_done_twice_when_processes_are_killed_under_load() -> None:
    report = run_crashes(Plan(kills=5, most_seconds=90, database_every=5, threads=2, workers=1))

    assert sum(report.kills.values()) >= 3, report.kills
    assert report.found.acked > 0
    assert report.found.breaches == {}, (report.found, report.kills)


@pytest.mark.slow
def test_a_database_that_confirms_what_it_has_not_written_is_caught() -> None:
    report = run_control(Plan(kills=1, most_seconds=5, pause=2.0, threads=2, drain_seconds=5))

    assert report.found.lost > 0


def read_seen(store: Store) -> tuple[int, int, int, int]:
    """Count what others see: events, scores, effects leased, effects done."""
    query = """
    SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM score),
           (SELECT count(*) FROM outbox_effect WHERE leased_by IS NOT NULL),
           (SELECT count(*) FROM outbox_effect WHERE state = 'done')
    """
    return ask(store, query)[0]


def test_each_point_is_reached_where_its_name_states(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, reached, sent = Clock(), {}, []
    for name, point in POINTS.items():
        seen = partial(lambda name: reached.update({name: (*read_seen(store), len(sent))}), name)
        wrap(point, seen, monkeypatch.setattr)
    event = make_event("ann", "e1", clock() - timedelta(minutes=1))
    envelope = open_envelope("event", json.dumps({"events": [event]}).encode(), 10)
    intake = Intake(CATALOG.taxonomy, CATALOG, clock())

    routes._take_in_idempotent(store, "event", envelope, intake, None)
    clock.move(seconds=1)
    make_scorer(store, tmp_path, clock).run_once()
    with store.work() as work:
        work.enqueue_effect("key", "mail", {}, clock())
    Outbox(store, {"mail": sent.append}, now=clock).run_once()

    assert reached == {
        "intake-before-commit": (0, 0, 0, 0, 0),
        "intake-after-commit": (1, 0, 0, 0, 0),
        "scores-after-claim": (1, 0, 0, 0, 0),
        "scores-before-commit": (1, 0, 0, 0, 0),
        "scores-after-commit": (1, 1, 0, 0, 0),
        "outbox-after-claim": (1, 1, 1, 0, 0),
        "outbox-after-send": (1, 1, 1, 0, 1),
        "outbox-after-settle": (1, 1, 0, 1, 1),
    }
