"""The store's own history as a checked folder, so that training reads files and can be repeated."""

import io
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.csv as pc_csv

from features.catalog.fit import LeadAttribute
from features.catalog.manifest import Catalog
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.columns import TIME
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import ATTRIBUTE_ARROW_TYPES, LEAD_SCHEMA, AttributeType
from features.contracts.provenance import Facts
from features.contracts.stages import STAGE_SCHEMA
from features.sources.history.folder import write_history
from features.taxonomy import Taxonomy
from serving.store.cells import read_cell
from serving.store.histories import CREATED, merge_versions
from serving.store.session import Store, UnitOfWork

SOURCE = "store"

# What was one with which lead by then, and since when: what a lead brought into another was known of
# that one from their merge on, or training would know who turned out to be whom.
MEMBERS = """
WITH RECURSIVE held AS (
    SELECT kept_lead_id, merged_lead_id, merged_at FROM merge
    WHERE merged_at < %(before)s AND coalesce(undone_at, 'infinity') >= %(before)s
), member (lead_id, kept, since) AS (
    SELECT merged_lead_id, kept_lead_id, merged_at FROM held
    WHERE kept_lead_id NOT IN (SELECT merged_lead_id FROM held)
    UNION ALL
    SELECT held.merged_lead_id, member.kept, greatest(member.since, held.merged_at)
    FROM held JOIN member ON held.kept_lead_id = member.lead_id
)
"""
# Moments as whole microseconds: what is read back is what was stored, to the last digit.
EVENTS = f"""{MEMBERS}
SELECT e.source || ':' || e.event_id, coalesce(m.kept, e.lead_id),
    (extract(epoch FROM e.occurred_at) * 1000000)::bigint,
    (extract(epoch FROM greatest(e.known_at, m.since)) * 1000000)::bigint,
    e.kind, e.name, e.channel, e.value, e.properties
FROM event e LEFT JOIN member m USING (lead_id) WHERE e.known_at < %(before)s
"""  # noqa: S608 - our own words
STAGES = f"""{MEMBERS}
SELECT coalesce(m.kept, s.lead_id), (extract(epoch FROM s.at) * 1000000)::bigint,
    (extract(epoch FROM greatest(s.known_at, m.since)) * 1000000)::bigint, s.stage, s.signal,
    s.reason, s.actor, s.amount, s.propensity
FROM stage_change s LEFT JOIN member m USING (lead_id) WHERE s.known_at < %(before)s
"""  # noqa: S608 - our own words
ATTEMPTS = f"""{MEMBERS}
SELECT coalesce(m.kept, a.lead_id), a.handoff_id,
    (extract(epoch FROM a.at) * 1000000)::bigint,
    (extract(epoch FROM greatest(a.known_at, m.since)) * 1000000)::bigint, a.channel, a.result,
    a.actor
FROM attempt a LEFT JOIN member m USING (lead_id) WHERE a.known_at < %(before)s
ORDER BY a.attempt_number
"""  # noqa: S608 - our own words
LEADS = f"""{MEMBERS}
SELECT coalesce(m.kept, l.lead_id), l.lead_id, {CREATED}, greatest(v.known_at, m.since),
    v.version_id, v.source, v.account_id, v.attributes, v.origins, v.account_source
FROM lead l LEFT JOIN member m USING (lead_id)
    LEFT JOIN lead_version v ON v.lead_id = l.lead_id AND v.known_at < %(before)s
WHERE l.first_known_at < %(before)s ORDER BY 1, v.known_at NULLS FIRST, v.version_id
"""  # noqa: S608 - our own words
_PLAIN: Mapping[AttributeType, LeadAttribute] = {
    "flag": LeadAttribute("flag", "flag"),
    "number": LeadAttribute("number", "number"),
}
BEGIN = "SELECT min(first_known_at), min(created_at) FROM lead"


def _driver(work: UnitOfWork) -> psycopg.Connection[Any]:
    driver = work.session.connection().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - no other driver is installed
    return driver


def _copy_table(work: UnitOfWork, query: str, before: datetime, schema: pa.Schema) -> pa.Table:
    """Read a query's rows into an Arrow table, without an object for each of their values."""
    stream = io.BytesIO()
    copying = f"COPY ({query}) TO STDOUT (FORMAT csv)"
    with _driver(work).cursor().copy(copying, {"before": before}) as rows:
        for block in rows:
            stream.write(block)
    if not stream.tell():
        return schema.empty_table()
    stream.seek(0)
    read_as = {f.name: pa.int64() if f.type == TIME else f.type for f in schema}
    table = pc_csv.read_csv(
        stream,
        read_options=pc_csv.ReadOptions(column_names=schema.names),
        parse_options=pc_csv.ParseOptions(newlines_in_values=True),
        convert_options=pc_csv.ConvertOptions(
            column_types=read_as,
            null_values=[""],
            strings_can_be_null=True,
            # Text that is there but empty comes in quotes.
            quoted_strings_can_be_null=False,
        ),
    )
    return table.cast(schema)


class _LeadRows:
    """Versions of leads, row by row, their attributes column by column."""

    def __init__(self) -> None:
        self.plain: dict[str, list[Any]] = {name: [] for name in LEAD_SCHEMA.names}
        self.attributes: dict[str, dict[int, Any]] = defaultdict(dict)

    def add(self, lead_id: str, rows: list[Any]) -> None:
        created_at = min(row[2] for row in rows)
        versions = [(row[1], row[3], Facts(*row[5:])) for row in rows if row[4] is not None]
        for known_at, account, attributes in merge_versions(lead_id, created_at, versions):
            position = len(self.plain["lead_id"])
            values = (lead_id, known_at, created_at, account)
            for name, value in zip(LEAD_SCHEMA.names, values, strict=True):
                self.plain[name].append(value)
            for name, value in attributes.items():
                self.attributes[name][position] = value

    def table(self, types: Mapping[str, AttributeType]) -> pa.Table:
        count = len(self.plain["lead_id"])
        table = pa.table(self.plain, schema=LEAD_SCHEMA)
        for name in sorted(self.attributes):
            if name in LEAD_SCHEMA.names:
                continue
            held = self.attributes[name]
            type_ = types.get(name) or guess_type(list(held.values()))
            cells: list[Any] = [None] * count
            for position, value in held.items():
                cells[position] = read_attribute(type_, value)
            table = table.append_column(name, pa.array(cells, ATTRIBUTE_ARROW_TYPES[type_]))
        return table


def guess_type(values: list[Any]) -> AttributeType:
    """Guess what an attribute is that no model knows yet: what all its values can be read as.

    >>> guess_type([1, 2.5]), guess_type([True]), guess_type(["a", 1])
    ('number', 'flag', 'category')
    >>> guess_type(["2026-03-01T00:00:00Z"])
    'time'
    """
    for type_ in ("flag", "number", "time"):
        if all(read_attribute(type_, value) is not None for value in values):
            return type_
    return "category"


def read_attribute(type_: AttributeType, value: Any) -> Any:
    """Read a stored value as a cell of a history; None if it is of another type."""
    if type_ == "category":
        text = str(value).strip() if not isinstance(value, bool) else str(value).lower()
        return text or None
    if type_ == "time":
        moment = _as_moment(value)
        return None if moment is None or moment.tzinfo is None else moment
    return read_cell(_PLAIN[type_], value)


def _as_moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value.upper()) if isinstance(value, str) else None
    except ValueError:
        return None


def read_store(
    store: Store, at: datetime, taxonomy: Taxonomy, catalog: Catalog | None = None
) -> History:
    """Read everything that was known before a moment.

    Parameters
    ----------
    store
        To read.
    at
        The cut, and the moment until which outcomes are known.
    taxonomy
        Of the kinds the events have.
    catalog
        Of the champion, which says of what type attributes are; guessed for those it lacks.
    """
    types = {a.name: a.type for a in catalog.attributes} if catalog is not None else {}
    with store.work(read_only=True) as work:
        work.execute("SET LOCAL statement_timeout = 0")
        rows = _LeadRows()
        found = work.execute(LEADS, {"before": at})
        for lead_id, versions in groupby(found, key=lambda row: row[0]):
            rows.add(lead_id, list(versions))
        tables = {
            name: _copy_table(work, query, at, schema)
            for name, query, schema in (
                ("events", EVENTS, EVENT_SCHEMA),
                ("stages", STAGES, STAGE_SCHEMA),
                ("attempts", ATTEMPTS, ATTEMPT_SCHEMA),
            )
        }
        begin, earliest = work.execute(BEGIN).one()
    about = HistoryManifest(
        source=SOURCE,
        taxonomy=taxonomy,
        observed_until=at.astimezone(UTC),
        # Of leads older than the store itself the early outcomes are not known.
        observed_from=begin if begin is not None and earliest < begin else None,
        notes={"snapshot": at.isoformat()},
    )
    return History(leads=rows.table(types), **tables, about=about)


def write_snapshot(
    store: Store, folder: Path, at: datetime, taxonomy: Taxonomy, catalog: Catalog | None = None
) -> History:
    """Write everything that was known before a moment as a history that can be trained on.

    Raises
    ------
    HistoryFolderTakenError
        If the folder holds files but no history.
    """
    history = read_store(store, at, taxonomy, catalog)
    write_history(history, folder)
    return history
