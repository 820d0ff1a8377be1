"""A history split by account: every row once, colleagues together, the same split anywhere."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.stages import STAGE_SCHEMA
from features.errors import ContractError
from features.sources.errors import HistoryUnreadableError
from features.sources.history import writer as history_writer
from features.sources.history.folder import (
    EVENT_COLUMNS,
    open_history,
    read_history,
    write_history,
)
from features.sources.history.partitions import LeadPlaces, partition_bits
from features.sources.text_hash import hash_texts
from features.taxonomy import default_taxonomy

TABLES = ("leads", "events", "stages", "attempts")


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(1_700_000_000 + seconds, UTC)


def _history(n_leads: int = 40, n_events: int = 200, seed: int = 3) -> History:
    """Make a small history: leads of a few accounts, some of which they change."""
    draw = np.random.default_rng(seed)
    leads, events = [], []
    for n in range(n_leads):
        for version in range(1 + n % 2):
            account = int(draw.integers(0, n_leads))
            leads.append(
                {
                    "lead_id": f"L{n}",
                    "known_at": _moment(version),
                    "created_at": _moment(0),
                    "account_id": f"A{account}" if account % 3 else None,
                    "industry": ("law", None, "steel")[account % 3],
                }
            )
    for n in range(n_events):
        at = _moment(int(draw.integers(0, 99)))
        lead = f"L{draw.integers(0, n_leads)}"
        event = {"event_id": str(n), "lead_id": lead, "occurred_at": at, "known_at": at}
        events.append(event | {"kind": "page_view", "value": float(n)})
    stage = {"lead_id": "L1", "at": _moment(5), "known_at": _moment(5), "stage": "mql"}
    call = {"lead_id": "L2", "at": _moment(6), "known_at": _moment(6), "channel": "call"}
    about = HistoryManifest("test", default_taxonomy(), _moment(100))
    lead_schema = LEAD_SCHEMA.append(pa.field("industry", pa.string()))
    return History(
        pa.Table.from_pylist(leads, lead_schema),
        pa.Table.from_pylist(events, EVENT_SCHEMA),
        pa.Table.from_pylist([stage], STAGE_SCHEMA),
        pa.Table.from_pylist([call], ATTEMPT_SCHEMA),
        about,
    )


@pytest.fixture
def split_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(history_writer, "partition_bits", lambda _: 3)
    write_history(_history(), tmp_path / "history")
    return tmp_path / "history"


def _rows(table: pa.Table) -> list[str]:
    return sorted(map(repr, table.to_pylist()))


def test_the_partitions_together_are_the_history(split_folder: Path) -> None:
    opened, whole = open_history(split_folder), _history()
    parts = [opened.read_partition(n) for n in range(opened.n_partitions)]
    assert opened.n_partitions == 8
    for name in TABLES:
        counts = [getattr(part, name).num_rows for part in parts]
        assert tuple(counts) == opened.count_rows(name)
        found = pa.concat_tables(
            [getattr(part, name) for part in parts], promote_options="permissive"
        )
        expected = getattr(whole, name).select(found.column_names)
        assert _rows(found) == _rows(expected)
        assert _rows(getattr(read_history(split_folder), name)) == _rows(getattr(whole, name))


def test_a_partition_is_sorted_by_lead_then_time_and_knows_all_its_leads(
    split_folder: Path,
) -> None:
    opened = open_history(split_folder)
    places = {lead: n for n, lead in enumerate(_history().leads["lead_id"].to_pylist())}
    for n in range(opened.n_partitions):
        part = opened.read_partition(n)
        leads = part.leads["lead_id"].to_pylist()
        assert [places[lead] for lead in leads] == sorted(places[lead] for lead in leads)
        rows = part.events.select(["lead_id", "occurred_at"]).to_pylist()
        keys = [(places[row["lead_id"]], row["occurred_at"]) for row in rows]
        assert keys == sorted(keys)
        assert {row["lead_id"] for row in rows} <= set(leads)


def test_colleagues_share_a_partition(split_folder: Path) -> None:
    opened = open_history(split_folder)
    of_account: dict[str, set[int]] = {}
    of_lead: dict[str, set[int]] = {}
    for n in range(opened.n_partitions):
        for lead in opened.read_partition(n).leads.to_pylist():
            of_lead.setdefault(lead["lead_id"], set()).add(n)
            if lead["account_id"] is not None:
                of_account.setdefault(lead["account_id"], set()).add(n)
    assert len({n for found in of_lead.values() for n in found}) > 1
    assert {len(found) for found in (*of_lead.values(), *of_account.values())} == {1}


links = st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 6)), min_size=1)


@given(links, st.randoms(use_true_random=False))
def test_a_chain_of_shared_accounts_holds_together_in_any_order(rows, shuffle) -> None:
    def split(pairs):
        table = pa.table(
            {
                "lead_id": pa.array([f"L{lead}" for lead, _ in pairs]),
                "account_id": pa.array(
                    [None if account is None else f"A{account}" for _, account in pairs],
                    pa.string(),
                ),
            }
        )
        places = LeadPlaces(table)
        return dict(zip(places.lead_ids.to_pylist(), places.hashes.tolist(), strict=True))

    found = split(rows)
    by_account: dict[int, set[int]] = {}
    for lead, account in rows:
        if account is not None:
            by_account.setdefault(account, set()).add(found[f"L{lead}"])
    assert all(len(hashes) == 1 for hashes in by_account.values())
    again = list(rows)
    shuffle.shuffle(again)
    assert split(again) == found


def test_a_partition_has_what_features_read_and_texts_coded(split_folder: Path) -> None:
    part = open_history(split_folder).read_partition(0)
    assert tuple(part.events.column_names) == EVENT_COLUMNS
    coded = pa.dictionary(pa.int32(), pa.string())
    for table, column in (
        (part.events, "lead_id"),
        (part.events, "kind"),
        (part.events, "channel"),
        (part.leads, "lead_id"),
        (part.leads, "industry"),
        (part.stages, "stage"),
    ):
        assert table.schema.field(column).type == coded


def test_many_threads_read_the_same_folder(split_folder: Path) -> None:
    opened = open_history(split_folder)
    wanted = list(range(opened.n_partitions)) * 5
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(opened.read_partition, wanted))
    for n, part in zip(wanted, found, strict=True):
        assert part == opened.read_partition(n)


def test_a_folder_of_the_format_before_is_one_partition(tmp_path: Path) -> None:
    history = _history()
    write_history(history, tmp_path / "old")
    for name in TABLES:
        pq.write_table(
            getattr(history, name), tmp_path / "old" / f"{name}.parquet", row_group_size=7
        )
    manifest = tmp_path / "old" / "history.json"
    written = json.loads(manifest.read_text(encoding="utf-8"))
    del written["partitions"]
    manifest.write_text(json.dumps(written | {"format": 1}), encoding="utf-8")
    opened = open_history(tmp_path / "old")
    assert opened.n_partitions == 1
    part = opened.read_partition(0)
    assert _rows(part.events) == _rows(history.events.select(EVENT_COLUMNS))
    assert read_history(tmp_path / "old") == history


def test_tables_that_do_not_fit_the_manifest_are_refused(split_folder: Path) -> None:
    other = _history(n_leads=41)
    pq.write_table(other.events, split_folder / "events.parquet")
    with pytest.raises(HistoryUnreadableError, match="row groups are not the partitions"):
        open_history(split_folder)


def test_a_table_that_names_a_strange_lead_is_refused(tmp_path: Path) -> None:
    history = _history()
    leads = history.leads.slice(4)
    broken = History(leads, history.events, history.stages, history.attempts, history.about)
    with pytest.raises(ContractError, match="which the lead table lacks"):
        write_history(broken, tmp_path / "history")
    assert not (tmp_path / "history").exists()


def test_a_history_is_read_from_a_url(split_folder: Path) -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    files.put(str(split_folder), "/bucket/history", recursive=True)
    try:
        assert read_history("memory://bucket/history") == read_history(split_folder)
        with pytest.raises(Exception, match=r"memory://bucket has no|history\.json"):
            open_history("memory://bucket")
    finally:
        files.rm("/bucket", recursive=True)


def test_a_partition_holds_about_as_much_whatever_the_size() -> None:
    assert partition_bits(0) == partition_bits(800_000) == 0
    assert partition_bits(800_001) == 1
    assert 400_000 <= 50_000_000 / 2 ** partition_bits(50_000_000) <= 800_000


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        # Vectors of the reference implementation.
        ("", 0xEF46DB3751D8E999),
        ("a", 0xD24EC4F1A98C6E5B),
        ("abc", 0x44BC2CF5AD770999),
        ("Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_the_hash_is_the_published_one(text: str, digest: int) -> None:
    assert hash_texts(pa.array(["x", text])[1:]).tolist() == [digest]
