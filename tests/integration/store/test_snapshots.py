"""A history goes into the store and comes out as it was; the store's own data can be trained on."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import text

from features.contracts.history import History
from features.simulation.generate import simulate_history
from features.simulation.scenarios import get_scenario
from features.sources.history.folder import open_history, read_history, write_history
from serving.store.errors import StoreNotEmptyError
from serving.store.load import load_history
from serving.store.packed import check_packed
from serving.store.session import Store
from serving.store.snapshots import write_snapshot
from tests.unit.serving.factories import make_catalog


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small-market") / "history"
    write_history(simulate_history(get_scenario("plain"), n_leads=300, seed=5).history, folder)
    return folder


def sorted_table(table: pa.Table, keys: list[str]) -> pa.Table:
    plain = pa.table({name: table.column(name) for name in sorted(table.column_names)})
    plain = plain.cast(
        pa.schema(
            [
                (f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
                for f in plain.schema
            ]
        )
    )
    return plain.sort_by([(key, "ascending") for key in keys])


KEYS = {
    "leads": ["lead_id", "known_at"],
    "events": ["lead_id", "event_id"],
    "stages": ["lead_id", "at", "stage"],
    "attempts": ["lead_id", "at", "channel"],
}


def strip_source(history: History) -> pa.Table:
    events = history.events
    ids = pa.array([one.removeprefix("history:") for one in events["event_id"].to_pylist()])
    return events.set_column(events.schema.get_field_index("event_id"), "event_id", ids)


def test_a_history_comes_out_of_the_store_as_it_went_in(
    market: Path, store: Store, tmp_path: Path
) -> None:
    went_in = read_history(market)
    at = went_in.about.observed_until
    counts = load_history(store, open_history(market), at)

    write_snapshot(store, tmp_path / "out", at, went_in.about.taxonomy)

    came_out = read_history(tmp_path / "out")
    assert counts["event"] == went_in.events.num_rows
    for name, keys in KEYS.items():
        before = sorted_table(getattr(went_in, name), keys)
        after = strip_source(came_out) if name == "events" else getattr(came_out, name)
        # Attributes that nobody has ever had are not known to the store at all.
        empty = [n for n in before.column_names if n not in after.column_names]
        assert all(before.column(n).null_count == before.num_rows for n in empty)
        assert sorted_table(after, keys).equals(before.drop_columns(empty)), name
    assert came_out.about.observed_until == at

    with pytest.raises(StoreNotEmptyError):
        load_history(store, open_history(market), at)


def test_every_packed_history_can_be_compared_with_its_rows(market: Path, store: Store) -> None:
    catalog = make_catalog()
    load_history(store, open_history(market), read_history(market).about.observed_until)

    assert check_packed(store, catalog) == (300, 0)
    with store.work() as work:
        work.session.execute(
            text(
                "UPDATE packed_history SET records = substr(records, 17) "
                "WHERE lead_id IN (SELECT lead_id FROM packed_history "
                "WHERE length(records) > 0 ORDER BY lead_id LIMIT 2)"
            )
        )
    assert check_packed(store, catalog) == (300, 2)
    assert check_packed(store, catalog) == (300, 0)


def test_what_became_known_after_the_cut_is_left_out(
    market: Path, store: Store, tmp_path: Path
) -> None:
    whole = read_history(market)
    load_history(store, open_history(market), whole.about.observed_until)
    cut = whole.about.observed_until - timedelta(days=200)

    part = write_snapshot(store, tmp_path / "out", cut, whole.about.taxonomy)

    assert 0 < part.events.num_rows < whole.events.num_rows
    for table in (part.leads, part.events, part.stages, part.attempts):
        if table.num_rows:
            assert max(table["known_at"].to_pylist()) < cut
