"""A history on disk into the store: for a company that moves in, with the moments things were known."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
import psycopg
import pyarrow as pa

from features.contracts.identity_keys import read_email
from features.contracts.leads import LEAD_SCHEMA
from features.sources.history.folder import HistoryFolder
from serving.store.errors import StoreNotEmptyError
from serving.store.session import Store, UnitOfWork
from serving.store.tombstones import ErasableName, find_erased

SOURCE = "history"
BATCH_ROWS = 20_000

COPIES = {
    "lead": "lead (lead_id, created_at, first_known_at, is_bare, account_id)",
    "lead_version": "lead_version (lead_id, known_at, source, account_id, attributes)",
    "event": (
        "event (source, event_id, lead_id, occurred_at, known_at, kind, name, channel, value, "
        "properties)"
    ),
    "stage_change": (
        "stage_change (source, change_id, lead_id, at, known_at, stage, signal, reason, actor, "
        "amount, propensity)"
    ),
    "attempt": (
        "attempt (source, attempt_id, lead_id, handoff_id, at, known_at, channel, result, actor)"
    ),
}
LEAD_IDS = {"event": 2, "stage_change": 2, "attempt": 2}
"""Which column of the copied rows names the lead, where it is not the first."""
DUE = """
INSERT INTO score_due (lead_id, due_at, because, lane) SELECT lead_id, %(at)s, 'loaded', 1 FROM lead
"""


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=BATCH_ROWS):
        yield from batch.to_pylist()


def _leads(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    newest: dict[str, dict[str, Any]] = {}
    for row in _rows(table.select(LEAD_SCHEMA.names)):
        newest[row["lead_id"]] = row
    for row in newest.values():
        yield row["lead_id"], row["created_at"], row["created_at"], False, row["account_id"]


def _versions(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for row in _rows(table):
        attributes = {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in row.items()
            if name not in LEAD_SCHEMA.names and value is not None
        }
        text = msgspec.json.encode(attributes).decode()
        yield row["lead_id"], row["known_at"], SOURCE, row["account_id"], text


def _events(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for row in _rows(table):
        yield (
            SOURCE,
            row["event_id"],
            row["lead_id"],
            row["occurred_at"],
            row["known_at"],
            row["kind"],
            row["name"],
            row["channel"],
            row["value"],
            row["properties"],
        )


def _stages(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(_rows(table)):
        yield (
            SOURCE,
            str(number),
            row["lead_id"],
            row["at"],
            row["known_at"],
            row["stage"],
            row["signal"],
            row["reason"],
            row["actor"],
            row["amount"],
            row["propensity"],
        )


def _attempts(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    for number, row in enumerate(_rows(table)):
        yield (
            SOURCE,
            str(number),
            row["lead_id"],
            row["handoff_id"],
            row["at"],
            row["known_at"],
            row["channel"],
            row["result"],
            row["actor"],
        )


def _list_erased(work: UnitOfWork, leads: pa.Table) -> set[str]:
    """List the leads of a history that were erased from this store, by their ids or addresses."""
    if not work.execute("SELECT EXISTS (SELECT 1 FROM tombstone)").scalar():
        return set()
    names = [name for name in ("lead_id", "email") if name in leads.column_names]
    erased: set[str] = set()
    for batch in leads.select(names).to_batches(max_chunksize=BATCH_ROWS):
        brought: dict[str, set[ErasableName]] = defaultdict(set)
        for row in batch.to_pylist():
            email = read_email(row.get("email"))
            brought[row["lead_id"]] |= set() if email is None else {email}
        erased |= find_erased(work, brought, brought)
    return erased


def _leave_out(
    rows: Iterable[tuple[Any, ...]], place: int, erased: set[str]
) -> Iterator[tuple[Any, ...]]:
    return (row for row in rows if row[place] not in erased) if erased else iter(rows)


def _copy(work: UnitOfWork, table: str, rows: Iterable[tuple[Any, ...]]) -> int:
    driver = work.session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - no other driver is installed
    count = 0
    with driver.cursor() as cursor, cursor.copy(f"COPY {COPIES[table]} FROM STDIN") as copying:
        for row in rows:
            copying.write_row(row)
            count += 1
    return count


def load_history(store: Store, history: HistoryFolder, at: datetime) -> dict[str, int]:
    """Load a history into an empty store, all or nothing; its leads are due to be scored.

    Whoever was erased from this store is left out, with all that they did.

    Returns
    -------
    dict
        By table, the rows loaded; under ``erased`` the leads left out, if any were.

    Raises
    ------
    StoreNotEmptyError
        If the store holds leads: theirs might be the same ones.
    """
    reading: dict[str, tuple[str, Callable[[pa.Table], Iterator[tuple[Any, ...]]]]] = {
        "lead": ("leads", _leads),
        "lead_version": ("leads", _versions),
        "event": ("events", _events),
        "stage_change": ("stages", _stages),
        "attempt": ("attempts", _attempts),
    }
    with store.work() as work:
        work.execute("SET LOCAL statement_timeout = 0")
        work.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        if work.execute("SELECT EXISTS (SELECT 1 FROM lead)").scalar():
            raise StoreNotEmptyError
        erased = _list_erased(work, history.read_table("leads"))
        counts = {}
        for table, (name, read) in reading.items():
            place = LEAD_IDS.get(table, 0)
            rows = _leave_out(read(history.read_table(name)), place, erased)
            counts[table] = _copy(work, table, rows)
        if erased:
            counts["erased"] = len(erased)
        work.execute(DUE, {"at": at})
    return counts
