"""The three real data sets go in, with the counts their makers state."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest

from features.sources.history.folder import read_history
from features.sources.import_history import ImportReport, run_import

Find = Callable[[str], Path]


def _import(real_data: Find, name: str, tmp_path: Path) -> ImportReport:
    report = run_import(name, real_data(name), tmp_path / name)
    assert read_history(tmp_path / name) == report.history
    return report


def _stages(report: ImportReport) -> Counter[str]:
    return Counter(report.history.stages["stage"].to_pylist())


@pytest.mark.slow
def test_bpi_2012_goes_in_straight_from_its_log(real_data: Find, tmp_path: Path) -> None:
    report = _import(real_data, "bpi2012", tmp_path)
    assert report.exit_code == 0
    assert report.lead_count == 8294
    assert _stages(report) == {
        "mql": 4614,
        "sql": 3165,
        "opportunity": 4169,
        "won": 1192,
        "lost": 4785 + 1478,
    }
    assert report.history.attempts.num_rows == 13340 + 5764
    assert report.history.events.num_rows == 82080
    # What the model will be sent by these names later is what it learned them to be.
    taxonomy = report.history.about.taxonomy
    found = set(
        zip(*(report.history.events[c].to_pylist() for c in ("kind", "name")), strict=True)
    )
    assert len(found) == 11
    assert {(taxonomy.kind_of_event(None, name), name) for _, name in found} == found
    cut = datetime(2012, 1, 9, 23, 57, 33, 423001, tzinfo=UTC)
    assert report.history.about.observed_until == cut


@pytest.mark.slow
def test_no_event_of_bpi_2012_tells_a_loss_just_before_it_is_recorded(
    real_data: Find, tmp_path: Path
) -> None:
    """A cancelled offer may come with the lost case, or well before it, never just before.

    Won cases are left out: there, offers are replaced by new ones up to the last minute.
    """
    history = _import(real_data, "bpi2012", tmp_path).history
    names = set(history.events["name"].to_pylist())
    assert not names & {"A_APPROVED", "A_REGISTERED", "A_ACTIVATED", "O_ACCEPTED", "O_DECLINED"}
    closed = history.stages.filter(pc.field("stage") == "lost")
    closed_at = dict(zip(closed["lead_id"].to_pylist(), closed["at"].to_pylist(), strict=True))
    cancelled = history.events.filter(pc.field("kind") == "offer_cancelled").to_pylist()
    before = [
        (closed_at[event["lead_id"]] - event["occurred_at"]).total_seconds()
        for event in cancelled
        if event["lead_id"] in closed_at
    ]
    assert not [seconds for seconds in before if 0 < seconds < 60]


def test_olist_goes_in_and_what_only_winners_have_is_withheld(
    real_data: Find, tmp_path: Path
) -> None:
    report = _import(real_data, "olist", tmp_path)
    assert report.lead_count == 6697
    # One deal was won two days before its lead's first contact.
    assert report.rejected == {"row rejected: before the lead was created": 1}
    assert report.exit_code == 3
    assert _stages(report) == {"mql": 6697, "won": 542}
    assert set(report.history.leads.column_names) == {
        *("lead_id", "known_at", "created_at", "account_id", "source", "landing_page"),
    }
    assert len(report.history.about.withheld) == 11
    assert report.history.about.observed_from == datetime(2018, 1, 1, 2, tzinfo=UTC)


def test_the_bank_data_go_in_with_ids_and_times_made_of_their_order(
    real_data: Find, tmp_path: Path
) -> None:
    report = _import(real_data, "bank", tmp_path)
    assert report.exit_code == 0
    assert report.lead_count == 41188
    assert _stages(report) == {"won": 4640, "lost": 36548}
    assert list(report.history.about.withheld) == ["call_duration"]
    assert "call_duration" not in report.history.leads.column_names
    assert report.quality.missing["days_since_earlier_campaign"] == pytest.approx(0.963, abs=1e-3)
    created = report.history.leads["created_at"]
    assert created.to_pylist() == sorted(created.to_pylist())
