"""What the intake does with a body: cut it, read each item, land those that can be read."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from serving.errors import RefusedError
from serving.intake.envelope import Envelope
from serving.intake.errors import NoSuchItemError
from serving.intake.quarantine import LockedItem, keep_item, note_try, settle, take_items
from serving.intake.records.ingest import Happening, ingest_records
from serving.intake.records.items import ItemResult, Landed, Record, Sent, Status
from serving.intake.records.leads import ingest_leads
from serving.intake.records.parsing import Intake, ParsedLead, ReadItem, read_item
from serving.intake.tools.messages import ingest_messages, join_by_email
from serving.store.session import UnitOfWork
from serving.web_api.problems import shape_refusal


def _land(
    work: UnitOfWork, record: Record, items: Sequence[ReadItem], intake: Intake
) -> list[ItemResult]:
    if record == "lead":
        leads = cast("Sequence[ParsedLead]", items)
        statuses = ingest_leads(work, leads, intake.received_at, intake.catalog)
        join_by_email(work, leads, intake)
        ids: list[str | None] = [None] * len(leads)
    else:
        happened = cast("Sequence[Happening]", items)
        statuses = ingest_records(work, happened, intake.received_at, intake.catalog)
        ids = [item.id for item in happened]
    return [
        ItemResult(cast("Status", status), item.lead_id, id_)
        for status, item, id_ in zip(statuses, items, ids, strict=True)
    ]


def take_in(work: UnitOfWork, record: Record, envelope: Envelope, intake: Intake) -> Landed:
    """Land the items of a body; those of a batch that cannot be read go to the quarantine.

    Raises
    ------
    InvalidBodyError
        If the body is one item, and it cannot be read: its sender is told right away.
    """
    reader = intake.reader(envelope.sent_at)
    results: list[ItemResult | None] = [None] * len(envelope.items)
    readable: list[tuple[int, ReadItem]] = []
    for position, raw in enumerate(envelope.items):
        try:
            readable.append((position, read_item(record, raw, reader)))
        except RefusedError as refusal:
            if not envelope.is_batch:
                raise
            problem = shape_refusal(refusal)
            number = keep_item(work, record, raw, problem, intake.received_at)
            results[position] = ItemResult("quarantined", item_number=number, problem=problem)
    if readable:
        landed = _land(work, record, [item for _, item in readable], intake)
        for (position, item), result in zip(readable, landed, strict=True):
            result.clock = (
                None if isinstance(item, ParsedLead) and not item.tells_time else reader.skew.clock
            )
            results[position] = result
    return count([result for result in results if result is not None])


def count(results: list[ItemResult]) -> Landed:
    """Count what became of items."""
    return Landed(dict(Counter(result.status for result in results)), results)


def try_again(work: UnitOfWork, number: int, mended: bytes | None, intake: Intake) -> ItemResult:
    """Send an item of the quarantine through again, mended or as it came.

    Raises
    ------
    NoSuchItemError
        If none of that number waits.
    """
    found = take_items(work, [number])
    if not found:
        raise NoSuchItemError(number)
    return _try(work, found[0], mended, intake)


def _land_again(work: UnitOfWork, sent: Sent, raw: bytes, intake: Intake) -> ItemResult:
    if sent == "segment" or sent == "snowplow":
        outcome = ingest_messages(work, sent, [raw], None, intake)[0]
        if isinstance(outcome, RefusedError):
            raise outcome
        return outcome
    return _land(work, sent, [read_item(sent, raw, intake.reader())], intake)[0]


def _try(work: UnitOfWork, taken: LockedItem, mended: bytes | None, intake: Intake) -> ItemResult:
    try:
        result = _land_again(work, taken.sent, mended or taken.body, intake)
    except RefusedError as refusal:
        problem: dict[str, Any] = shape_refusal(refusal)
        note_try(work, taken.number, problem)
        return ItemResult("quarantined", item_number=taken.number, problem=problem)
    settle(work, [taken.number], "landed", intake.received_at)
    return msgspec.structs.replace(result, item_number=taken.number)


def try_all_again(work: UnitOfWork, numbers: Sequence[int], intake: Intake) -> Landed:
    """Send several items through again as they came; each that still cannot be read stays."""
    return count([_try(work, taken, None, intake) for taken in take_items(work, numbers)])
