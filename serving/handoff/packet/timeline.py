"""A lead's story in few lines: what matters most is kept, told in the order it happened. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from serving.handoff.decision.activity import Activity
from serving.handoff.wording import format_count, format_day


@dataclass(frozen=True)
class KindWords:
    """Words for one and for several activities of each kind, and which of them weigh more."""

    words: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    high_intent: frozenset[str] = frozenset()
    """Kinds of people who think of buying; they are kept where lines are short."""

    def one(self, kind: str) -> str:
        """Say one activity of a kind."""
        return self.words[kind][0] if kind in self.words else kind.replace("_", " ")

    def many(self, kind: str, count: int) -> str:
        """Say so many activities of a kind.

        >>> KindWords({"blog_view": ("blog view", "blog views")}).many("blog_view", 3)
        '3 blog views'
        """
        if kind in self.words:
            return format_count(count, *self.words[kind])
        return f"{count:,} x {self.one(kind)}"


@dataclass(frozen=True)
class Moment:
    """Something of the timeline that is no activity: a move of the lead, an attempt to reach it."""

    at: datetime
    words: str


@dataclass(frozen=True)
class TimelineLine:
    """A line of the timeline."""

    day: str
    words: str


@dataclass(frozen=True)
class _Candidate:
    at: datetime
    weight: int
    words: str
    activities: int


_FIRST, _MOVE, _HIGH_INTENT, _ORDINARY, _RECEIVED = 4, 3, 2, 1, 0


def build_timeline(
    activities: Sequence[Activity],
    moments: Iterable[Moment],
    words: KindWords,
    most_lines: int,
) -> tuple[TimelineLine, ...]:
    """Tell what happened in at most so many lines, oldest first.

    Activities of one kind on one day are one line. Where there are too many lines, these are kept in
    this order: the first touch, moves and attempts, high intent, what else the lead did, what it
    received; the newest first within each. One closing line counts the activities left out.

    Parameters
    ----------
    activities
        In order of time.
    moments
        Moves and attempts.
    words
        For the kinds.
    most_lines
        At least one.
    """
    listed = _gather(activities, words)
    listed += [_Candidate(m.at, _MOVE, m.words, 0) for m in moments]
    ranked = sorted(listed, key=lambda c: (c.weight, c.at), reverse=True)
    fits = len(ranked) <= most_lines
    kept = ranked if fits else ranked[: most_lines - 1]
    lines = [TimelineLine(format_day(c.at), c.words) for c in sorted(kept, key=lambda c: c.at)]
    if not fits:
        left = ranked[most_lines - 1 :]
        many = format_count(
            sum(max(c.activities, 1) for c in left), "further entry", "further entries"
        )
        days = format_count(len({c.at.date() for c in left}), "day", "days")
        lines.append(TimelineLine("besides", f"{many} on {days}"))
    return tuple(lines)


def _gather(activities: Sequence[Activity], words: KindWords) -> list[_Candidate]:
    days: dict[tuple[object, str], list[Activity]] = defaultdict(list)
    for activity in activities:
        days[activity.at.date(), activity.kind].append(activity)
    gathered = []
    for (_, kind), same in days.items():
        first = bool(activities) and same[0] is activities[0]
        gathered.append(
            _Candidate(
                same[0].at,
                _weigh(same[0], words, first),
                _describe_same(same, kind, words),
                len(same),
            )
        )
    return gathered


def _weigh(activity: Activity, words: KindWords, first: bool) -> int:
    if first:
        return _FIRST
    if activity.kind in words.high_intent:
        return _HIGH_INTENT
    return _ORDINARY if activity.engaging else _RECEIVED


def _describe_same(same: Sequence[Activity], kind: str, words: KindWords) -> str:
    channels = sorted({a.channel for a in same if a.channel})
    campaigns = sorted({a.campaign for a in same if a.campaign})
    through = f" through {', '.join(channels)}" if channels else ""
    named = f" ({', '.join(campaigns)})" if campaigns else ""
    return f"{words.many(kind, len(same))}{through}{named}"
