"""One entry of the catalogue: what is computed, from which records, and how it is said."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Literal

SubScore = Literal["fit", "engagement", "account", "journey"]

LIFE = "life"
"""The window that never closes."""

STAGES_GROUP = "stages"
"""The group of all stage changes; a single one is ``stage:returned`` and the like, and returns that
found one thing are ``returned:rejected`` and the like."""

CALENDAR_BINS = ("night", "morning", "afternoon", "evening", "weekend", "business hours")
"""UTC quarters of the day from midnight; Saturday and Sunday; Monday to Friday, 9 to 17 UTC."""

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Op(StrEnum):
    """What the kernel can compute. Each has a twin of the same name in ``kernel.reference``."""

    COUNT = "count"
    RECENCY = "recency"
    SINCE_FIRST = "since_first"
    INTENSITY = "intensity"
    ACTIVE_DAYS = "active_days"
    SESSIONS = "sessions"
    CHANNELS = "channels"
    KINDS = "kinds"
    VALUE_SUM = "value_sum"
    VALUE_MAX = "value_max"
    GAP_MEAN = "gap_mean"
    GAP_STD = "gap_std"
    SILENCE = "silence"
    SHARE = "share"
    TREND = "trend"
    CALENDAR_SHARE = "calendar_share"
    FIRST_CHANNEL = "first_channel"
    LAST_CHANNEL = "last_channel"
    FIRST_KIND = "first_kind"
    LAST_KIND = "last_kind"
    AGE = "age"
    CREATED_WEEKDAY = "created_weekday"
    CREATED_HOUR = "created_hour"
    ATTRIBUTE = "attribute"
    ATTRIBUTE_AGE = "attribute_age"
    COMPLETENESS = "completeness"
    COLLEAGUES = "colleagues"
    COLLEAGUES_ACTIVE = "colleagues_active"
    COLLEAGUE_COUNT = "colleague_count"
    COLLEAGUE_RECENCY = "colleague_recency"
    COLLEAGUE_TREND = "colleague_trend"
    COLLEAGUE_KINDS = "colleague_kinds"
    DERIVED = "derived"
    """No operation of the kernel: a formula of a family that another package brings."""


@dataclass(frozen=True)
class Feature:
    """One column of every feature matrix."""

    name: str
    family: str
    op: Op
    field: str
    """The business field people see it under."""
    field_words: str
    sub_score: SubScore
    unit: str
    """``count``, ``days``, ``share``, ``per day``, ``hour``, ``code``, ``yes or no``, or ``as given``."""
    words: str
    """The fact as a phrase, ``{value}`` standing for the number or the category."""
    null_words: str
    """The phrase for "not known" or "never"; what an empty cell means."""
    words_one: str = ""
    """The phrase when the value is exactly one; ``words`` if empty."""
    words_zero: str = ""
    """The phrase when the value is zero; ``words`` if empty."""
    words_ahead: str = ""
    """The phrase when a number of days is negative: the moment is still to come."""
    group: str = ""
    """Which records count: a kind or group of the taxonomy, or of the stages."""
    window: str = ""
    """``1d``, ``7d``, ... or ``life``."""
    other_group: str = ""
    other_window: str = ""
    half_life_days: float = 0.0
    position: int = 0
    """Index into ``CALENDAR_BINS``, or which attributes a completeness, or people an activity is of."""
    attribute: str = ""
    categories: tuple[str, ...] = ()
    """Names of the codes 0, 1, ... of a category; empty for a number."""
    inputs: tuple[str, ...] = ()
    """Of a derived feature: the features its formula is given, in order."""
    direction: int = 0
    """+1 or -1 where the field agrees that more means a higher or lower chance; 0 where not."""

    @property
    def dtype(self) -> Literal["number", "category"]:
        """Whether the column holds a number or the code of a category."""
        return "category" if self.categories else "number"

    @property
    def window_days(self) -> float | None:
        """Length of the window in days; None for a lifetime or for none."""
        return window_days(self.window) if self.window not in {"", LIFE} else None

    def to_json(self) -> dict[str, Any]:
        """Shape the entry for a manifest, leaving out what is at its default."""
        defaults = {f.name: f.default for f in fields(self)}
        return {k: v for k, v in asdict(self).items() if v != defaults[k]}

    @staticmethod
    def from_json(entry: dict[str, Any]) -> "Feature":
        """Read the entry back from a manifest."""
        return Feature(
            **{
                **entry,
                "op": Op(entry["op"]),
                "categories": tuple(entry.get("categories", ())),
                "inputs": tuple(entry.get("inputs", ())),
            }
        )


def window_days(window: str) -> float:
    """Read a window's length in days.

    >>> window_days("7d"), window_days("12h")
    (7.0, 0.5)
    """
    scale = {"d": 1.0, "h": 1 / 24}[window[-1]]
    return float(window[:-1]) * scale


def window_words(window: str) -> str:
    """Say a window.

    >>> window_words("1d"), window_words("7d"), window_words("life")
    ('in the last day', 'in the last 7 days', 'so far')
    """
    if window == LIFE:
        return "so far"
    days = window_days(window)
    return "in the last day" if days == 1 else f"in the last {days:g} days"
