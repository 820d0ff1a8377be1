"""Facts and reasons as sentences: numbers for people, a fact the reader can check, a direction.

Pure. No feature names, no log-odds, no causal verbs.
"""

import math
from collections.abc import Mapping
from typing import Literal

from features.catalog.feature import Feature
from features.catalog.fit import OTHER_CATEGORY

Direction = Literal["raises", "lowers", "none"]

_DIRECTION_WORDS: dict[Direction, str] = {
    "raises": "Raises the chance",
    "lowers": "Lowers the chance",
    "none": "Makes no difference",
}
_OTHER_WORDS = "one of the rarer values"


def format_number(value: float) -> str:
    """Say a number: whole where it is whole, else with as many digits as matter.

    >>> format_number(1250.0), format_number(2.345), format_number(0.0312), format_number(12345.678)
    ('1,250', '2.3', '0.031', '12,346')
    """
    if value == round(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.1f}".removesuffix(".0")
    return f"{value:.2g}"


def _many(count: float, one: str, many: str) -> str:
    number = format_number(count)
    return f"{number} {one if number == '1' else many}"


def format_days(days: float) -> str:
    """Say a length of time given in days.

    >>> format_days(0.01), format_days(0.25), format_days(1.0), format_days(12.4), format_days(400.0)
    ('14 minutes', '6 hours', '1 day', '12 days', '13 months')
    """
    minutes = days * 24 * 60
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return _many(round(minutes), "minute", "minutes")
    if minutes < 36 * 60 and abs(days - 1) > 1e-3:
        return _many(round(minutes / 60), "hour", "hours")
    if days < 90:
        return _many(round(days), "day", "days")
    if days < 3 * 365:
        return _many(round(days / 30.44), "month", "months")
    return _many(round(days / 365.25), "year", "years")


def format_share(share: float) -> str:
    """Say a share of one.

    >>> format_share(0.354), format_share(0.004), format_share(1.0)
    ('35 %', '0.4 %', '100 %')
    """
    percent = share * 100
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else f"{percent:.1g} %"


def _format_category(
    feature: Feature, code: float, category_words: Mapping[str, str]
) -> str | None:
    position = int(code)
    if not 0 <= position < len(feature.categories):
        return None
    name = feature.categories[position]
    if name == OTHER_CATEGORY:
        return _OTHER_WORDS
    # Only activity kinds are keys of ours; a company's own values are said as they are.
    return category_words.get(name, name) if feature.group else name


def _format_value(feature: Feature, value: float, category_words: Mapping[str, str]) -> str | None:
    if feature.categories:
        return _format_category(feature, value, category_words)
    if feature.unit == "days":
        return format_days(value)
    if feature.unit == "share":
        return format_share(value)
    if feature.unit == "per day":
        return f"{'+' if value > 0 else ''}{format_number(value)}"
    return format_number(value)


def describe_fact(feature: Feature, value: float, category_words: Mapping[str, str]) -> str:
    """Say what a feature's value means.

    Parameters
    ----------
    feature
        The catalogue's entry.
    value
        The cell: a number, a category's code, or NaN for unknown.
    category_words
        Words for the kinds of activity, by name.
    """
    if not math.isfinite(value):
        return feature.null_words
    if value == 0 and feature.words_zero:
        return feature.words_zero
    if value == 1 and feature.words_one:
        return feature.words_one
    if value < 0 and feature.words_ahead:
        return feature.words_ahead.replace("{value}", format_days(-value))
    value_words = _format_value(feature, value, category_words)
    if value_words is None:
        return feature.null_words
    # Not str.format: a company's field name may hold a brace of its own.
    return feature.words.replace("{value}", value_words)


def describe_reason(direction: Direction, fact: str) -> str:
    """Say a reason: the direction, then the fact.

    >>> describe_reason("raises", "3 pricing-page views in the last 7 days")
    'Raises the chance: 3 pricing-page views in the last 7 days.'
    """
    return f"{_DIRECTION_WORDS[direction]}: {fact}."


def format_rest(direction: Direction, n_fields: int) -> str:
    """Say the closing reason, which holds whatever the ranked ones leave over.

    >>> format_rest("lowers", 12)
    'Lowers the chance: everything else taken together (12 further facts).'
    """
    if not n_fields:
        return describe_reason(direction, "nothing else")
    return describe_reason(
        direction,
        f"everything else taken together ({_many(n_fields, 'further fact', 'further facts')})",
    )


def describe_timing_reason(worth: float, fact: str) -> str:
    """Say what speaks for a handoff now, or for waiting.

    >>> describe_timing_reason(0.8, "3 pricing-page views in the last 7 days")
    'Speaks for now: 3 pricing-page views in the last 7 days.'
    """
    return f"{'Speaks for now' if worth > 0 else 'Speaks for waiting'}: {fact}."
