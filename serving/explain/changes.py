"""Why a score moved between two moments: parts that add up to the difference. Pure.

The parts are differences of counterfactual scores, in one fixed order, each step on top of those before:

1. the old model, what was known at the old moment, looked at then (where it starts);
2. the same records looked at at the new moment: **time**;
3. without the records that are the lead's no longer, since a **merge** was undone;
4. each **field** whose value changed, in the order of their names;
5. the **account**: another one, or what colleagues did;
6. new **events**, kind by kind, in the order in which the first of each happened;
7. new **stage** changes;
8. the new **model**, if it is another one (where it ends).

As in any such sequence, what two parts say together goes to the later one; another order would divide it
otherwise. The order is from what nobody did, over what was learned, to what was done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.compute.online import compute_rows
from features.contracts.records import EventRecord, LeadRecord, LeadVersion
from training.bundle import Bundle

What = Literal["time", "merge", "field", "account", "events", "stages", "model"]


@dataclass(frozen=True, slots=True)
class ScoreChangePart:
    """One part of the difference."""

    what: What
    name: str | None
    """The field or the kind of event; null where there is only one such part."""
    count: int
    """How many records, or changes of the field, it stands for."""
    points: float
    """Points added or taken, before the cut to 0-100."""
    words: str


@dataclass(frozen=True)
class _Step:
    what: What
    name: str | None
    count: int
    words: str
    record: LeadRecord


def known_by(record: LeadRecord, moment: int) -> LeadRecord:
    """Give a lead as it was known before a moment, its colleagues alike."""
    others = record.colleagues
    if others is not None:
        known = (known_by(other, moment) for other in others if other.created_at < moment)
        others = tuple(other for other in known if other.versions)
    return record._replace(
        versions=tuple(v for v in record.versions if v.known_at < moment),
        events=tuple(e for e in record.events if e.known_at < moment),
        stages=tuple(m for m in record.stages if m.known_at < moment),
        colleagues=others,
    )


def _parting_step(start: LeadRecord, end: LeadRecord, since: int) -> _Step | None:
    """Take away what another lead had brought: it is no longer known of this one at the end."""
    before, after = (
        (*one.versions, *one.events, *one.stages) for one in (start, known_by(end, since))
    )
    gone = sum(record not in after for record in before)
    if not gone:
        return None
    words = f"{gone} record{'s' if gone > 1 else ''} of another lead, since a merge was undone"
    left = known_by(end, since)._replace(colleagues=start.colleagues)
    return _Step("merge", None, gone, words, left)


def _field_steps(start: LeadRecord, end: LeadRecord, moment: int) -> list[_Step]:
    """Change one field after the other on a version of its own."""
    new = [v for v in end.versions if v not in start.versions]
    if not new:
        return []
    old_state = start.versions[-1].attributes if start.versions else {}
    new_state = end.versions[-1].attributes
    account = start.versions[-1].account_id if start.versions else None
    names = sorted(
        name for name in {*old_state, *new_state} if old_state.get(name) != new_state.get(name)
    )
    steps, state = [], dict(old_state)
    for name in names:
        state[name] = new_state.get(name)
        version = LeadVersion(min(new[-1].known_at, moment - 1), dict(state), account)
        record = start._replace(versions=(*start.versions, version))
        times = sum(v.attributes.get(name) != old_state.get(name) for v in new)
        words = f"{name} changed" if old_state.get(name) is not None else f"{name} became known"
        steps.append(_Step("field", name, times, words, record))
    return steps


def _account_step(record: LeadRecord, start: LeadRecord, end: LeadRecord) -> _Step | None:
    """Let colleagues, and the versions that name an account, be what they are at the end."""
    accounts = [one.versions[-1].account_id if one.versions else None for one in (start, end)]
    if end.colleagues is None or (
        accounts[0] == accounts[1] and start.colleagues == end.colleagues
    ):
        return None
    words = "what is known of the account and of what its other leads do"
    changed = record._replace(versions=end.versions, colleagues=end.colleagues)
    return _Step("account", None, 1, words, changed)


def _group_new_events(end: Sequence[EventRecord], since: int) -> dict[str, list[EventRecord]]:
    groups: dict[str, list[EventRecord]] = {}
    for event in sorted((e for e in end if e.known_at >= since), key=lambda e: e.occurred_at):
        groups.setdefault(event.kind, []).append(event)
    return groups


def build_steps(
    start: LeadRecord,
    end: LeadRecord,
    since: int,
    until: int,
    describe_kind: Callable[[str, int], str],
) -> list[_Step]:
    """Build the lead after each step, the first as known at the old moment."""
    start, end = known_by(start, since), known_by(end, until)
    steps = [_Step("time", None, 1, "time passed: what was known already grew older", start)]
    parting = _parting_step(start, end, since)
    if parting is not None:
        steps.append(parting)
        start = parting.record
    steps += _field_steps(start, end, until)
    current = steps[-1].record
    account = _account_step(current, start, end)
    if account is not None:
        steps.append(account)
        current = account.record
    for kind, events in _group_new_events(end.events, since).items():
        current = current._replace(events=(*current.events, *events))
        words = f"{len(events)} {describe_kind(kind, len(events))}"
        steps.append(_Step("events", kind, len(events), words, current))
    moved = [m for m in end.stages if m.known_at >= since]
    if moved:
        current = current._replace(stages=end.stages)
        words = "moved to " + ", ".join(str(m.stage) for m in sorted(moved, key=lambda m: m.at))
        steps.append(_Step("stages", None, len(moved), words, current))
    # What the fields' steps made up stands for the same state as the versions there are; the last
    # step ends at the lead as it is, so that nothing is left over.
    return [*steps[:-1], replace(steps[-1], record=end)]


@dataclass(frozen=True)
class Movement:
    """A score at two moments, and what lies between."""

    rows: tuple[NDArray[np.float32], NDArray[np.float32]]
    """The rows of features at both ends, by each end's own catalogue."""
    points: tuple[float, float]
    """Uncut, at both ends."""
    parts: list[ScoreChangePart]

    @property
    def delta(self) -> float:
        """The difference; what the parts add up to."""
        return self.points[1] - self.points[0]


def explain_change(
    start: LeadRecord,
    end: LeadRecord,
    since: int,
    until: int,
    before: Bundle,
    after: Bundle,
    end_for_after: LeadRecord | None = None,
) -> Movement:
    """Take apart why a score moved; the module says in which order.

    Parameters
    ----------
    start, end
        The lead as known before each moment, with the attributes the old model knows. What was one
        with it may differ, and what its colleagues were one with.
    since, until
        The two moments, microseconds since the epoch.
    before, after
        The models of the two moments.
    end_for_after
        The lead at the end, with the attributes the new model knows; as ``end`` if left out.
    """
    kinds = {kind.name: (kind.one, kind.many) for kind in before.catalog.taxonomy.kinds}
    steps = build_steps(
        start, end, since, until, lambda kind, n: kinds.get(kind, (kind, kind))[n != 1]
    )
    records = [steps[0].record, *(step.record for step in steps)]
    moments = [since, *([until] * len(steps))]
    rows = compute_rows(before.catalog, records, moments)
    points = before.score(rows).points.tolist()
    parts = [
        ScoreChangePart(step.what, step.name, step.count, points[n + 1] - points[n], step.words)
        for n, step in enumerate(steps)
    ]
    last_row, last = rows[-1:], points[-1]
    if after.version != before.version:
        known = known_by(end if end_for_after is None else end_for_after, until)
        last_row = compute_rows(after.catalog, [known], [until])
        last = float(after.score(last_row).points[0])
        words = f"model {after.version} in place of {before.version}"
        parts.append(ScoreChangePart("model", after.version, 1, last - points[-1], words))
    return Movement((rows[:1], last_row), (points[0], last), parts)
