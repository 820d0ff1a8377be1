"""What was known of the leads of a partition, as records: for definitions and routing."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from features.clock import to_us
from features.contracts.leads import attribute_types
from features.contracts.records import EventRecord, LeadRecord, LeadVersion, StageRecord
from serving.handoff.decision.conditions import ConditionResult
from serving.handoff.decision.definitions import facts_at, run_definitions
from serving.handoff.playbook.playbook import Playbook


def list_rows(table: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """List the rows of some columns."""
    return zip(*(table.column(name).to_pylist() for name in names), strict=True)


def read_records(
    leads: pa.Table, events: pa.Table, stages: pa.Table, wanted: Iterable[str]
) -> dict[str, LeadRecord]:
    """Read the records of some leads of a partition."""
    chosen = set(wanted)
    versions = _read_versions(leads, chosen)
    known_events: dict[str, list[EventRecord]] = defaultdict(list)
    for lead, occurred_at, known_at, kind in list_rows(
        events, ("lead_id", "occurred_at", "known_at", "kind")
    ):
        if lead in chosen:
            known_events[lead].append(EventRecord(to_us(occurred_at), to_us(known_at), kind))
    known_stages: dict[str, list[StageRecord]] = defaultdict(list)
    for lead, at, known_at, stage, reason in list_rows(
        stages, ("lead_id", "at", "known_at", "stage", "reason")
    ):
        if lead in chosen:
            known_stages[lead].append(StageRecord(to_us(at), to_us(known_at), stage, reason))
    return {
        lead: LeadRecord(
            lead,
            own[0].known_at,
            tuple(own),
            tuple(known_events[lead]),
            tuple(known_stages[lead]),
        )
        for lead, own in versions.items()
    }


def _read_versions(leads: pa.Table, chosen: set[str]) -> Mapping[str, list[LeadVersion]]:
    names = list(attribute_types(leads))
    versions: dict[str, list[LeadVersion]] = defaultdict(list)
    columns = ("lead_id", "known_at", "account_id", *names)
    for lead, known_at, account, *values in list_rows(leads, columns):
        if lead in chosen:
            attributes = {
                name: float(to_us(value)) if isinstance(value, datetime) else value
                for name, value in zip(names, values, strict=True)
            }
            versions[lead].append(LeadVersion(to_us(known_at), attributes, account))
    for own in versions.values():
        own.sort(key=lambda version: version.known_at)
    return versions


def fails_mql(playbook: Playbook, record: LeadRecord, as_of_us: int, points: float | None) -> bool:
    """Tell whether the agreed MQL definition keeps a lead back at a moment."""
    asked = playbook.triggers.mql
    if asked == "ignored":
        return False
    found = run_definitions(playbook, facts_at(record, as_of_us, score=points)).mql.verdict
    return (
        found is ConditionResult.FAILED
        if asked == "not_failed"
        else found is not ConditionResult.MET
    )
