"""Landing messages of tools: each said in our words, its record landed, its names joined."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec
import structlog

from features.contracts.identity_keys import ANONYMOUS, IdentityKey, Join, read_email
from features.contracts.provenance import is_trusted
from serving.errors import RefusedError
from serving.intake.identity.identities import add_identity_keys, find_holders
from serving.intake.identity.joining import MergeVerdict, People
from serving.intake.identity.merging import REFUSALS
from serving.intake.identity.people import MergeNote, lock_people, read_people, write_merges
from serving.intake.records.ingest import ingest_records, lock_leads, lock_row_creation
from serving.intake.records.items import ItemResult, Status, Tool
from serving.intake.records.leads import ingest_leads
from serving.intake.records.parsing import Intake, ParsedEvent, ParsedLead, decode_item, read_item
from serving.intake.records.skew import Clock
from serving.intake.tools import segment, snowplow
from serving.intake.tools.parsed_message import ParsedMessage
from serving.store.session import UnitOfWork
from serving.store.tombstones import find_erased, find_erased_names

log = structlog.get_logger(__name__)

EXISTING = "SELECT lead_id FROM lead WHERE lead_id = ANY(%(ids)s)"

DONE = {MergeVerdict.MERGE, MergeVerdict.ONE_ALREADY}
"""Verdicts after which two leads are one."""

_MESSAGE = msgspec.json.Decoder(segment.SegmentMessage)
_PAYLOAD = msgspec.json.Decoder(dict[str, Any])


def _read_segment(raw: bytes, sent_at: datetime | None, intake: Intake) -> ParsedMessage:
    return segment.translate(decode_item(_MESSAGE, raw), intake.taxonomy, sent_at)


def _read_snowplow(raw: bytes, sent_at: datetime | None, intake: Intake) -> ParsedMessage:
    del sent_at  # each event tells its own
    return snowplow.translate(decode_item(_PAYLOAD, raw), intake.taxonomy)


_TRANSLATORS: dict[Tool, Callable[[bytes, datetime | None, Intake], ParsedMessage]] = {
    "segment": _read_segment,
    "snowplow": _read_snowplow,
}


@dataclass(slots=True)
class _ReadMessage:
    """A message that was read."""

    parsed: ParsedMessage
    lead_id: str
    record: ParsedEvent | ParsedLead | None
    result: ItemResult | RefusedError
    clock: Clock | None = None


def _read_record(parsed: ParsedMessage, lead_id: str, intake: Intake) -> _ReadMessage:
    """Read the record of a message by the rules for all records."""
    reader = intake.reader(parsed.sent_at, parsed.first_received_at)
    result = ItemResult("unchanged", lead_id)
    if parsed.event is not None:
        event = {**parsed.event, "lead_id": lead_id}
        if "occurred_at" not in event:
            event["occurred_at"], reader = intake.received_at.isoformat(), intake.reader()
        read = cast("ParsedEvent", read_item("event", msgspec.json.encode(event), reader))
        return _ReadMessage(parsed, lead_id, read, result, reader.skew.clock)
    if parsed.lead is not None:
        sent = {**parsed.lead, "lead_id": lead_id}
        lead = cast("ParsedLead", read_item("lead", msgspec.json.encode(sent), reader))
        clock = reader.skew.clock if lead.tells_time else None
        return _ReadMessage(parsed, lead_id, lead, result, clock)
    return _ReadMessage(parsed, lead_id, None, result)


def _find_holders(work: UnitOfWork, parsed: Sequence[ParsedMessage]) -> dict[IdentityKey, str]:
    """Find whose the names of messages are: who has them, or else a lead of the same id."""
    joins = [join for one in parsed for join in one.joins]
    names = {one.about for one in parsed} | {n for join in joins for n in (join.merged, join.kept)}
    asked = sorted({join.merged.value for join in joins if join.is_asked})
    holders = find_holders(work, names | {IdentityKey("user_id", value) for value in asked})
    if asked:
        # Who asks to join a name may mean a visitor's or a lead's; the visitor comes first.
        existing = set(work.execute(EXISTING, {"ids": asked}).scalars())
        existing |= {one.about.value for one in parsed if one.about.kind == "user_id"}
        for value in asked:
            held = holders.get(IdentityKey("user_id", value), value if value in existing else None)
            if held is not None:
                holders.setdefault(IdentityKey("anonymous_id", value), held)
    return holders


def _holder(holders: Mapping[IdentityKey, str], name: IdentityKey) -> str:
    return holders.get(name, name.lead_id)


def _involved(holders: Mapping[IdentityKey, str], parsed: Iterable[ParsedMessage]) -> set[str]:
    """List the leads that messages are of, or join."""
    joined = {name for one in parsed for join in one.joins for name in (join.merged, join.kept)}
    names = {one.about for one in parsed} | {
        n for n in joined if n.kind != "email" or n in holders
    }
    return {_holder(holders, name) for name in names}


def _land(work: UnitOfWork, read_messages: Sequence[_ReadMessage], intake: Intake) -> None:
    """Land the records of messages; events first, as they tell since when a lead is known."""
    at, catalog = intake.received_at, intake.catalog
    events = [one for one in read_messages if isinstance(one.record, ParsedEvent)]
    if events:
        happened = [cast("ParsedEvent", one.record) for one in events]
        statuses = ingest_records(work, happened, at, catalog)
        for one, item, status in zip(events, happened, statuses, strict=True):
            status = cast("Status", status)
            one.result = ItemResult(status, item.lead_id, item.id, clock=one.clock)
    leads = [one for one in read_messages if isinstance(one.record, ParsedLead)]
    if leads:
        leads_read = [cast("ParsedLead", one.record) for one in leads]
        statuses = ingest_leads(work, leads_read, at, catalog)
        for one, status in zip(leads, statuses, strict=True):
            one.result = ItemResult(cast("Status", status), one.lead_id, clock=one.clock)


def _add_keys(
    work: UnitOfWork,
    wanted: Mapping[IdentityKey, str],
    holders: dict[IdentityKey, str],
    people: People,
    intake: Intake,
) -> None:
    """Give leads the keys that are new, as far as their people may have more."""
    fresh = {key: lead for key, lead in wanted.items() if key not in holders and lead in people}
    gone = find_erased_names(work, fresh) if fresh else set()
    new: dict[IdentityKey, str] = {}
    refused = Counter[MergeVerdict]()
    for key, lead_id in fresh.items():
        # What a lead is called by itself is one key for each lead; addresses may be any number.
        most = intake.most_identity_keys if key.kind == "email" else None
        if key in gone or (key.kind == "email" and people.find_person(lead_id).is_known):
            continue  # whose address it is, the CRM says of its own leads
        if people.add_key(lead_id, most):
            new[key] = lead_id
        else:
            refused[MergeVerdict.TOO_MANY_KEYS] += 1
    _note_refused(intake, "email", refused)
    if new:
        add_identity_keys(work, new, intake.received_at, is_confirmed=False)
        # What another added at the same time is theirs.
        holders |= find_holders(work, new)


def _note_refused(intake: Intake, by: str, refused: Counter[MergeVerdict]) -> None:
    intake.joins_refused.update(refused)
    for verdict, joins in refused.items():
        log.info("identities_not_joined", by=by, because=str(verdict), joins=joins)


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two leads that are said to be one, the first to become part of the second."""

    merged: str
    kept: str


def _decide(
    pairs: Mapping[_Pair, Join | None], people: People, by: str, intake: Intake
) -> dict[_Pair, MergeVerdict]:
    """Decide what becomes of each pair, asked for by a tracker's join or none; without erased leads."""
    verdicts = {}
    for pair, join in pairs.items():
        if pair.merged not in people or pair.kept not in people:
            continue
        if join is not None and _is_only_claimed(pair, join, people):
            verdicts[pair] = MergeVerdict.ONLY_CLAIMED
            continue
        verdict = people.join(pair.merged, pair.kept, intake.most_identity_keys).verdict
        verdicts[pair] = verdict
    _note_refused(intake, by, Counter(one for one in verdicts.values() if one not in DONE))
    return verdicts


def _write(work: UnitOfWork, people: People, by: str, intake: Intake) -> None:
    notes = [MergeNote(one, f"{by}: {one.because}", by) for one in people.merged]
    write_merges(work, people, notes, intake.received_at)


def _own_keys(
    read_messages: Sequence[_ReadMessage], holders: Mapping[IdentityKey, str]
) -> dict[IdentityKey, str]:
    """List the keys that messages tell, with the leads that come to be under them."""
    keys: dict[IdentityKey, str] = {}
    for one in read_messages:
        joined = (key for join in one.parsed.joins for key in (join.merged, join.kept))
        for key in (one.parsed.about, *joined):
            lead_id = one.lead_id if key.kind == "email" else _holder(holders, key)
            keys.setdefault(key, lead_id)
    return keys


def _join(
    work: UnitOfWork,
    tool: Tool,
    read_messages: Sequence[_ReadMessage],
    holders: dict[IdentityKey, str],
    intake: Intake,
) -> None:
    """Give leads their new keys, and make those one that messages say are one."""
    involved = _involved(holders, [one.parsed for one in read_messages])
    people = read_people(work, involved)
    not_yet_created = sorted(lead_id for lead_id in involved if lead_id not in people)
    keys = _own_keys(read_messages, holders)
    _add_keys(work, keys, holders, people, intake)
    gone = find_erased(work, not_yet_created) if not_yet_created else set()
    for lead_id in not_yet_created:
        if lead_id not in gone:
            people.add(lead_id)
    wanted: dict[_Pair, Join | None] = {
        _pair(holders, join): join
        for one in read_messages
        for join in one.parsed.joins
        if _may_ask(join, holders, people)
    }
    verdicts = _decide(wanted, people, tool, intake)
    # A device of which nothing is known but a join that was refused is not worth a row.
    merged = {lead_id for one in people.merged for lead_id in (one.merged, one.kept)}
    new = merged.intersection(not_yet_created)
    if new:
        lock_leads(work, dict.fromkeys(new, intake.received_at), intake.received_at, bare=True)
        of_new = {key: lead_id for key, lead_id in keys.items() if lead_id in new}
        _add_keys(work, of_new, holders, people, intake)
    _write(work, people, tool, intake)
    for one in read_messages:
        for join in one.parsed.joins:
            if join.is_asked:
                found = verdicts.get(_pair(holders, join))
                one.result = _build_join_result(found, one.lead_id)


def _is_only_claimed(pair: _Pair, join: Join, people: People) -> bool:
    """Tell whether nobody but a tracker says that a user, and no mere visitor, is a lead of the CRM.

    An anonymous id is known to the device alone; that of a user can be guessed, and with it their
    whole history could be moved.
    """
    one, other = people.get_candidate(pair.merged), people.get_candidate(pair.kept)
    if join.kept.kind == "email" or one.is_known == other.is_known:
        return False
    claimed = other if one.is_known else one
    return not claimed.survivor.startswith(ANONYMOUS)


def _may_ask(join: Join, holders: Mapping[IdentityKey, str], people: People) -> bool:
    """Tell whether a tracker may speak of a join at all.

    By an address it may bring a visitor to the lead of which the CRM says that the address is its, but
    nobody to another lead of the CRM: then all of their history would go to whom a web page names.
    """
    about = _holder(holders, join.merged)
    is_address = join.kept.kind == "email"
    return not (is_address and about in people and people.find_person(about).is_known)


def _pair(holders: Mapping[IdentityKey, str], join: Join) -> _Pair:
    return _Pair(_holder(holders, join.merged), _holder(holders, join.kept))


def _build_join_result(verdict: MergeVerdict | None, lead_id: str) -> ItemResult | RefusedError:
    if verdict is None:
        return ItemResult("erased", lead_id)
    if verdict in DONE:
        return ItemResult("landed" if verdict is MergeVerdict.MERGE else "unchanged", lead_id)
    return REFUSALS[verdict]()


def ingest_messages(
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
    parsed: dict[int, ParsedMessage] = {}
    for position, raw in enumerate(raws):
        try:
            parsed[position] = _TRANSLATORS[tool](raw, sent_at, intake)
        except RefusedError as refusal:
            results[position] = refusal
    holders = _find_holders(work, list(parsed.values()))
    erased = _find_erased(work, parsed, holders)
    read_messages: dict[int, _ReadMessage] = {}
    for position, one in parsed.items():
        lead_id = _holder(holders, one.about)
        if position in erased:
            results[position] = ItemResult("erased", lead_id)
            continue
        try:
            read_messages[position] = _read_record(one, lead_id, intake)
        except RefusedError as refusal:
            results[position] = refusal
    if read_messages:
        _take_up(work, tool, list(read_messages.values()), holders, intake)
    for position, each in read_messages.items():
        results[position] = each.result
    return [result for result in results if result is not None]


def _find_erased(
    work: UnitOfWork, parsed: Mapping[int, ParsedMessage], holders: Mapping[IdentityKey, str]
) -> set[int]:
    """Find the messages by which somebody erased would come back, under whatever name they bring.

    Of somebody who is there, be it on a device of theirs, what they did counts; only the join is left out.
    """
    brought = {position: _list_names(one) for position, one in parsed.items()}
    gone = find_erased_names(work, set().union(*brought.values()) - holders.keys())
    if not gone:
        return set()
    suspects = {position for position, names in brought.items() if names & gone}
    ids = sorted({_holder(holders, parsed[position].about) for position in suspects})
    there = set(work.execute(EXISTING, {"ids": ids}).scalars())
    return {
        position
        for position in suspects
        if parsed[position].about in gone or _holder(holders, parsed[position].about) not in there
    }


def _list_names(parsed: ParsedMessage) -> set[IdentityKey]:
    names = {parsed.about}
    for join in parsed.joins:
        names |= {join.merged, join.kept}
    return names


def _take_up(
    work: UnitOfWork,
    tool: Tool,
    read_messages: Sequence[_ReadMessage],
    holders: dict[IdentityKey, str],
    intake: Intake,
) -> None:
    # All locks at once and in order, before anything lands: messages that cross each other wait.
    involved = _involved(holders, [one.parsed for one in read_messages])
    lock_row_creation(work, involved)
    lock_people(work, involved)
    _land(work, read_messages, intake)
    _join(work, tool, read_messages, holders, intake)


def join_by_email(work: UnitOfWork, leads: Sequence[ParsedLead], intake: Intake) -> None:
    """Give leads their e-mail addresses as names, and join the visitors who gave the same ones.

    What a tracker has claimed gives way: an address belongs to the lead of which a trusted source says so.
    """
    emails: dict[IdentityKey, str] = {}
    for lead in leads:
        email = read_email(lead.attributes.get("email")) if is_trusted(lead.source) else None
        if email is not None:
            emails.setdefault(email, lead.lead_id)
    if not emails:
        return
    at = intake.received_at
    alive = set(work.execute(EXISTING, {"ids": sorted(emails.values())}).scalars())
    claimed = find_holders(work, emails)
    theirs = {name: lead for name, lead in emails.items() if lead in alive}
    add_identity_keys(work, theirs, at, is_confirmed=True)
    holders = {**find_holders(work, emails), **claimed}
    pairs: dict[_Pair, Join | None] = {
        _Pair(lead_id, holders[name]): None
        for name, lead_id in emails.items()
        if lead_id in alive and holders[name] != lead_id
    }
    if pairs:
        involved = {lead_id for pair in pairs for lead_id in (pair.merged, pair.kept)}
        lock_people(work, involved)
        people = read_people(work, involved)
        _decide(pairs, people, "email", intake)
        _write(work, people, "email", intake)


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
            return IdentityKey(kind, value.strip()).lead_id  # type: ignore[arg-type]
    return None
