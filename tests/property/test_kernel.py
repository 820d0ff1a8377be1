"""The kernel means what the reference says, and the future changes nothing."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.catalog.feature import Op
from features.clock import DAY_US, from_us
from features.compute.offline import Snapshots, compute_columns, compute_matrix
from features.compute.online import compute_rows
from features.contracts.attempts import ATTEMPT_SCHEMA
from features.contracts.columns import TIME
from features.contracts.events import EVENT_SCHEMA
from features.contracts.history import History, HistoryManifest
from features.contracts.leads import LEAD_SCHEMA
from features.contracts.records import EventRecord, LeadVersion, StageRecord
from features.contracts.stages import STAGE_SCHEMA
from features.kernel.encode import Encoder
from features.kernel.layout import columns_of_records
from features.kernel.reference import MEANINGS, reference_row
from tests.property.strategies import CATALOG, START, events, leads, looking, stage_moves, versions

COUNTS = [
    i for i, f in enumerate(CATALOG.features) if f.op in {Op.COUNT, Op.ACTIVE_DAYS, Op.SESSIONS}
]


def test_every_operation_has_its_plain_twin():
    assert set(MEANINGS) == set(Op)


@given(leads(), looking)
def test_the_compiled_pass_equals_the_reference(lead, as_of):
    row = compute_rows(CATALOG, [lead], [as_of])[0]
    meant = np.array(reference_row(CATALOG, lead, as_of)).astype(np.float32)
    np.testing.assert_allclose(row, meant, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(row[COUNTS], meant[COUNTS])


@given(leads(), looking, st.data())
def test_adding_what_is_known_at_or_after_the_moment_changes_nothing_online(lead, as_of, data):
    before = compute_rows(CATALOG, [lead], [as_of])[0]
    known_later = st.integers(as_of, as_of + 9 * DAY_US)

    def later(record, happened):
        return record._replace(known_at=max(data.draw(known_later), happened))

    # An event may have happened before the moment: it counts only if it was known by then.
    event = data.draw(events())
    move = data.draw(stage_moves())
    version = data.draw(versions())
    more = lead._replace(
        events=(*lead.events, later(event, event.occurred_at)),
        stages=(*lead.stages, later(move, move.at)),
        versions=(*lead.versions, version._replace(known_at=data.draw(known_later))),
    )
    after = compute_rows(CATALOG, [more], [as_of])[0]
    assert before.tobytes() == after.tobytes()


@given(leads(), looking, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(lead, as_of, random):
    before = compute_rows(CATALOG, [lead], [as_of])[0]
    shuffled = list(lead.events)
    random.shuffle(shuffled)
    after = compute_rows(CATALOG, [lead._replace(events=tuple(shuffled))], [as_of])[0]
    assert before.tobytes() == after.tobytes()


@given(leads(), st.lists(looking, min_size=1, max_size=6, unique=True))
def test_a_row_asked_alone_equals_the_same_row_among_many_bit_for_bit(lead, moments):
    moments = sorted(moments)
    columns = columns_of_records(Encoder(CATALOG), [lead])
    # Its colleagues follow behind; the lead itself is the first.
    asked = Snapshots(np.zeros(len(moments), np.int64), np.array(moments, np.int64))
    together = compute_columns(CATALOG, columns, asked)
    alone = compute_rows(CATALOG, [lead] * len(moments), moments)
    assert together.tobytes() == alone.tobytes()


def everybody(records):
    """List leads and the colleagues they brought along, each with the name of its household."""
    for n, asked in enumerate(records):
        for lead in (asked, *(asked.colleagues or ())):
            # Nobody said who belongs to the account: then the history does not either.
            yield lead, None if asked.colleagues is None else n


def places(records):
    """Number the leads among everybody."""
    return np.cumsum([0, *(1 + len(lead.colleagues or ()) for lead in records)])[:-1]


def history_of(records) -> History:
    """Write records down as the four tables, as an importer would."""
    lead_rows, event_rows, stage_rows = [], [], []
    for n, (lead, household) in enumerate(everybody(records)):
        name, created_at = f"lead {n}", from_us(lead.created_at)
        base = (
            []
            if any(v.known_at == lead.created_at for v in lead.versions)
            else [LeadVersion(lead.created_at, {})]
        )
        for version in sorted((*base, *lead.versions), key=lambda v: v.known_at):
            row = {
                "lead_id": name,
                "known_at": from_us(version.known_at),
                "created_at": created_at,
            }
            ends = version.attributes.get("contract_ends")
            row |= dict(version.attributes) | {
                "contract_ends": None if ends is None else from_us(int(ends))
            }
            if household is not None and version.account_id is not None:
                row["account_id"] = f"{household} {version.account_id}"
            lead_rows.append(row)
        for i, e in enumerate(lead.events):
            event_rows.append(
                {
                    "event_id": f"{n}-{i}",
                    "lead_id": name,
                    "occurred_at": from_us(e.occurred_at),
                    "known_at": from_us(e.known_at),
                    "kind": e.kind,
                    "channel": e.channel,
                    "value": e.value,
                }
            )
        stage_rows += [
            {
                "lead_id": name,
                "at": from_us(m.at),
                "known_at": from_us(m.known_at),
                "stage": m.stage,
                "reason": m.reason,
            }
            for m in lead.stages
        ]
    attributes = [
        pa.field("industry", pa.string()),
        pa.field("employees", pa.float64()),
        pa.field("phone_known", pa.bool_()),
        pa.field("contract_ends", TIME),
        pa.field("seniority", pa.string()),
    ]
    return History(
        pa.Table.from_pylist(lead_rows, pa.schema([*LEAD_SCHEMA, *attributes])),
        pa.Table.from_pylist(event_rows, EVENT_SCHEMA),
        pa.Table.from_pylist(stage_rows, STAGE_SCHEMA),
        pa.Table.from_pylist([], ATTEMPT_SCHEMA),
        HistoryManifest("test", CATALOG.taxonomy, from_us(START + 999 * DAY_US)),
    )


@given(st.lists(leads(max_events=12), min_size=1, max_size=4), looking)
def test_offline_equals_online_bit_for_bit(records, as_of):
    history = history_of(records)
    history.check()
    asked = Snapshots(places(records), np.full(len(records), as_of, np.int64))
    offline = compute_matrix(CATALOG, history, asked)
    online = compute_rows(CATALOG, records, [as_of] * len(records))
    assert offline.tobytes() == online.tobytes()


@given(st.lists(leads(max_events=12), min_size=1, max_size=3), looking, st.data())
def test_adding_what_is_known_later_changes_nothing_offline(records, as_of, data):
    asked = Snapshots(places(records), np.full(len(records), as_of, np.int64))
    before = compute_matrix(CATALOG, history_of(records), asked)
    at = data.draw(st.integers(START, as_of + 5 * DAY_US))
    known_at = data.draw(st.integers(max(as_of, at), max(as_of, at) + DAY_US))
    first = records[0]
    more = first._replace(
        events=(*first.events, EventRecord(at, known_at, "demo_request", "web", 7.0)),
        stages=(*first.stages, StageRecord(at, known_at, "sql")),
    )
    after = compute_matrix(CATALOG, history_of([more, *records[1:]]), asked)
    assert before.tobytes() == after.tobytes()
