"""Landing messages of tools: each said in our words, its record landed, its names joined."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec
import structlog

from serving.errors import RefusedError
from serving.intake.identity.identities import add_names, find_holders
from serving.intake.identity.joining import Verdict
from serving.intake.identity.merging import REFUSALS, Hand, find_survivors, join_leads, lock_people
from serving.intake.identity.names import Join, Name, read_email
from serving.intake.records.items import ItemResult, Status, Tool
from serving.intake.records.landing import land_happenings, lock_leads
from serving.intake.records.leads import land_leads
from serving.intake.records.reading import Intake, ReadEvent, ReadLead, decode_item, read_item
from serving.intake.records.skew import Clock
from serving.intake.tools import segment, snowplow
from serving.intake.tools.said import Said
from serving.store.session import UnitOfWork
from serving.store.tombstones import find_erased_names

log = structlog.get_logger(__name__)

EXISTING = "SELECT lead_id FROM lead WHERE lead_id = ANY(%(ids)s)"

_MESSAGE = msgspec.json.Decoder(segment.SegmentMessage)
_PAYLOAD = msgspec.json.Decoder(dict[str, Any])


def _read_segment(raw: bytes, sent_at: datetime | None, intake: Intake) -> Said:
    return segment.translate(decode_item(_MESSAGE, raw), intake.taxonomy, sent_at)


def _read_snowplow(raw: bytes, sent_at: datetime | None, intake: Intake) -> Said:
    del sent_at  # each event tells its own
    return snowplow.translate(decode_item(_PAYLOAD, raw), intake.taxonomy)


_TRANSLATORS: dict[Tool, Callable[[bytes, datetime | None, Intake], Said]] = {
    "segment": _read_segment,
    "snowplow": _read_snowplow,
}


@dataclass(slots=True)
class _Heard:
    """A message that was read."""

    said: Said
    lead_id: str
    record: ReadEvent | ReadLead | None
    result: ItemResult | RefusedError
    clock: Clock | None = None


def _read_record(said: Said, lead_id: str, intake: Intake) -> _Heard:
    """Read the record of a message by the rules for all records."""
    reader = intake.reader(said.sent_at, said.first_received_at)
    result = ItemResult("unchanged", lead_id)
    if said.event is not None:
        event = {**said.event, "lead_id": lead_id}
        if "occurred_at" not in event:
            event["occurred_at"], reader = intake.received_at.isoformat(), intake.reader()
        read = cast("ReadEvent", read_item("event", msgspec.json.encode(event), reader))
        return _Heard(said, lead_id, read, result, reader.skew.clock)
    if said.lead is not None:
        sent = {**said.lead, "lead_id": lead_id}
        lead = cast("ReadLead", read_item("lead", msgspec.json.encode(sent), reader))
        clock = reader.skew.clock if lead.tells_time else None
        return _Heard(said, lead_id, lead, result, clock)
    return _Heard(said, lead_id, None, result)


def _find_holders(work: UnitOfWork, said: Sequence[Said]) -> dict[Name, str]:
    """Find whose the names of messages are: who has them, or else a lead of the same id."""
    joins = [join for one in said for join in one.joins]
    names = {one.about for one in said} | {n for join in joins for n in (join.merged, join.kept)}
    asked = sorted({join.merged.value for join in joins if join.is_asked})
    holders = find_holders(work, names | {Name("user_id", value) for value in asked})
    if asked:
        # Who asks to join a name may mean a visitor's or a lead's; the visitor comes first.
        existing = set(work.execute(EXISTING, {"ids": asked}).scalars())
        existing |= {one.about.value for one in said if one.about.kind == "user_id"}
        for value in asked:
            held = holders.get(Name("user_id", value), value if value in existing else None)
            if held is not None:
                holders.setdefault(Name("anonymous_id", value), held)
    return holders


def _holder(holders: Mapping[Name, str], name: Name) -> str:
    return holders.get(name, name.lead_id)


def _involved(holders: Mapping[Name, str], said: Iterable[Said]) -> set[str]:
    """List the leads that messages are of, or join."""
    joined = {name for one in said for join in one.joins for name in (join.merged, join.kept)}
    names = {one.about for one in said} | {n for n in joined if n.kind != "email" or n in holders}
    return {_holder(holders, name) for name in names}


def _land(work: UnitOfWork, heard: Sequence[_Heard], intake: Intake) -> None:
    """Land the records of messages; events first, as they tell since when a lead is known."""
    at, catalog = intake.received_at, intake.catalog
    events = [one for one in heard if isinstance(one.record, ReadEvent)]
    if events:
        happened = [cast("ReadEvent", one.record) for one in events]
        statuses = land_happenings(work, happened, at, catalog)
        for one, item, status in zip(events, happened, statuses, strict=True):
            status = cast("Status", status)
            one.result = ItemResult(status, item.lead_id, item.id, clock=one.clock)
    leads = [one for one in heard if isinstance(one.record, ReadLead)]
    if leads:
        told = [cast("ReadLead", one.record) for one in leads]
        statuses = land_leads(work, told, at, catalog)
        for one, status in zip(leads, statuses, strict=True):
            one.result = ItemResult(cast("Status", status), one.lead_id, clock=one.clock)


def _name(
    work: UnitOfWork, heard: Sequence[_Heard], holders: dict[Name, str], intake: Intake
) -> set[str]:
    """Give leads the names that are new; tell which of the leads there are."""
    at = intake.received_at
    said = [one.said for one in heard]
    involved = _involved(holders, said)
    alive = set(lock_leads(work, dict.fromkeys(involved, at), at, bare=True))
    new: dict[Name, str] = {}
    for one in heard:
        for name in (one.said.about, *(n for j in one.said.joins for n in (j.merged, j.kept))):
            lead_id = one.lead_id if name.kind == "email" else _holder(holders, name)
            if name not in holders and lead_id in alive:
                new.setdefault(name, lead_id)
    gone = find_erased_names(work, new)
    new = {name: lead_id for name, lead_id in new.items() if name not in gone}
    if new:
        add_names(work, new, at)
        # What another added at the same time is theirs.
        holders |= find_holders(work, new)
    return alive


def _join(
    work: UnitOfWork, pairs: Mapping[tuple[str, str], Tool | str], intake: Intake
) -> dict[tuple[str, str], Verdict]:
    """Join pairs of leads, the first into the second; tell what became of each."""
    survivors = find_survivors(work, {lead_id for pair in pairs for lead_id in pair})
    verdicts: dict[tuple[str, str], Verdict] = {}
    for (merged, kept), by in pairs.items():
        if survivors[merged] == survivors[kept]:
            verdicts[merged, kept] = Verdict.ONE_ALREADY
            continue
        hand = Hand(by, intake.received_at, intake.catalog)
        verdict = verdicts[merged, kept] = join_leads(work, merged, kept, hand).verdict
        if verdict is not Verdict.MERGE:
            log.info("names_not_joined", by=by, because=str(verdict))
    return verdicts


def _join_all(
    work: UnitOfWork,
    tool: Tool,
    heard: Sequence[_Heard],
    holders: Mapping[Name, str],
    alive: set[str],
    intake: Intake,
) -> None:
    """Join the names of messages, and tell those that asked for it what became of it."""

    def pair(join: Join) -> tuple[str, str]:
        return _holder(holders, join.merged), _holder(holders, join.kept)

    wanted = {pair(join): tool for one in heard for join in one.said.joins}
    possible = {(one, other): by for (one, other), by in wanted.items() if {one, other} <= alive}
    verdicts = _join(work, possible, intake) if possible else {}
    for one in heard:
        asked = [pair(join) for join in one.said.joins if join.is_asked]
        for found in asked:
            one.result = _say_joined(verdicts.get(found), one.lead_id)


def _say_joined(verdict: Verdict | None, lead_id: str) -> ItemResult | RefusedError:
    if verdict is None:
        return ItemResult("erased", lead_id)
    if verdict in {Verdict.MERGE, Verdict.ONE_ALREADY}:
        return ItemResult("landed" if verdict is Verdict.MERGE else "unchanged", lead_id)
    return REFUSALS[verdict]()


def land_messages(
    work: UnitOfWork, tool: Tool, raws: Sequence[bytes], sent_at: datetime | None, intake: Intake
) -> list[ItemResult | RefusedError]:
    """Land the messages of a tool; what one says wrongly touches no other.

    Parameters
    ----------
    work
        To land them with.
    tool
        Whose messages they are.
    raws
        The JSON of each.
    sent_at
        When they were sent, by the sender's clock, where the messages do not tell themselves.
    intake
        What they are read with.

    Returns
    -------
    list
        For each message what became of it, or why it was refused.
    """
    results: list[ItemResult | RefusedError | None] = [None] * len(raws)
    said: dict[int, Said] = {}
    for position, raw in enumerate(raws):
        try:
            said[position] = _TRANSLATORS[tool](raw, sent_at, intake)
        except RefusedError as refusal:
            results[position] = refusal
    holders = _find_holders(work, list(said.values()))
    gone = find_erased_names(work, {one.about for one in said.values()} - holders.keys())
    heard: dict[int, _Heard] = {}
    for position, one in said.items():
        lead_id = _holder(holders, one.about)
        if one.about in gone:
            results[position] = ItemResult("erased", lead_id)
            continue
        try:
            heard[position] = _read_record(one, lead_id, intake)
        except RefusedError as refusal:
            results[position] = refusal
    if heard:
        _take_up(work, tool, list(heard.values()), holders, intake)
    for position, each in heard.items():
        results[position] = each.result
    return [result for result in results if result is not None]


def _take_up(
    work: UnitOfWork,
    tool: Tool,
    heard: Sequence[_Heard],
    holders: dict[Name, str],
    intake: Intake,
) -> None:
    # All locks at once and in order, before anything lands: messages that cross each other wait.
    lock_people(work, _involved(holders, [one.said for one in heard]))
    _land(work, heard, intake)
    alive = _name(work, heard, holders, intake)
    _join_all(work, tool, heard, holders, alive, intake)


def join_by_email(work: UnitOfWork, leads: Sequence[ReadLead], intake: Intake) -> None:
    """Give leads their e-mail addresses as names, and join the visitors who gave the same ones."""
    told: dict[Name, str] = {}
    for lead in leads:
        email = read_email(lead.attributes.get("email"))
        if email is not None:
            told.setdefault(email, lead.lead_id)
    if not told:
        return
    at = intake.received_at
    alive = set(work.execute(EXISTING, {"ids": sorted(told.values())}).scalars())
    add_names(work, {name: lead for name, lead in told.items() if lead in alive}, at)
    holders = find_holders(work, told)
    pairs = {
        (lead_id, holders[name]): "email"
        for name, lead_id in told.items()
        if lead_id in alive and holders[name] != lead_id
    }
    if pairs:
        lock_people(work, {lead_id for pair in pairs for lead_id in pair})
        _join(work, pairs, intake)


def find_person(raw: bytes) -> str | None:
    """Find whose a message is that could not be read, so that erasure finds it too."""
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    for field, kind in (
        ("userId", "user_id"),
        ("uid", "user_id"),
        ("anonymousId", "anonymous_id"),
        ("duid", "anonymous_id"),
    ):
        value = fields.get(field)
        if isinstance(value, str) and value.strip():
            return Name(kind, value.strip()).lead_id  # type: ignore[arg-type]
    return None
