"""What is due, and who takes it away."""

from datetime import timedelta

from serving.scoring.live.scoring_queue import MODEL, TIME, add_due, clear_due, take_due
from serving.store.session import Store
from tests.integration.scores.job_resources import ask, land, make_item
from tests.unit.serving.factories import NOW

HOUR = timedelta(hours=1)


def test_what_is_due_for_a_new_model_is_left_to_whoever_has_it(store: Store) -> None:
    land(store, "lead", make_item("ann"), make_item("bob"), at=NOW)
    with store.work() as work:
        for because, at in ((MODEL, NOW), (TIME, NOW + HOUR), ("event", NOW + HOUR)):
            add_due(work, {"ann": at}, because)

        clear_due(work, ["ann"], NOW)

    # What has come by now goes, and what only time asks for; what is still to come stays.
    left = ask(store, "SELECT lead_id, because FROM score_due ORDER BY 1, 2")
    assert left == [("ann", "event"), ("ann", "model"), ("bob", "attributes")]


def test_what_changed_goes_before_what_only_time_asks_for(store: Store) -> None:
    land(store, "lead", make_item("ann"), make_item("bob"), at=NOW)
    with store.work() as work:
        work.execute("DELETE FROM score_due")
        add_due(work, {"ann": NOW - HOUR}, TIME)
        add_due(work, {"bob": NOW}, "event", 0)

        assert take_due(work, NOW - HOUR, 9) == {"ann": {"time"}}
        add_due(work, {"ann": NOW - HOUR}, TIME)
        assert take_due(work, NOW, 1) == {"bob": {"event"}}
        assert take_due(work, NOW, 1) == {"ann": {"time"}}
        assert take_due(work, NOW, 1) == {}
