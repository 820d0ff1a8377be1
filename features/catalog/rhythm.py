"""How activity is spread over time: days, sessions, gaps, trend, hours."""

from functools import partial

from features.catalog.engagement import HIGH_INTENT
from features.catalog.feature import CALENDAR_BINS, LIFE, Feature, Op, SubScore, window_words
from features.taxonomy import Taxonomy

ENGAGEMENT = "engagement"
RHYTHM: SubScore = "engagement"


def _spread() -> list[Feature]:
    features: list[Feature] = []
    for op, one, many in (
        (Op.ACTIVE_DAYS, "active day", "active days"),
        (Op.SESSIONS, "visit", "visits"),
    ):
        features += [
            Feature(
                name=f"{op}_{window}",
                family="sessions",
                op=op,
                field=op,
                field_words=many[:1].upper() + many[1:],
                sub_score=RHYTHM,
                unit="count",
                group=ENGAGEMENT,
                window=window,
                words=f"{{value}} {many} {window_words(window)}",
                words_one=f"1 {one} {window_words(window)}",
                words_zero=f"no {one} {window_words(window)}",
                null_words="no activity so far",
                direction=1,
            )
            for window in ("7d", "30d", "90d", LIFE)
        ]
    return features


def _gaps() -> list[Feature]:
    wording = (
        (Op.GAP_MEAN, "gap_mean", "days", "{value} between activities on average", 0),
        (Op.GAP_STD, "gap_std", "days", "gaps between activities vary by {value}", 0),
        (Op.SILENCE, "silence", "count", "silent for {value} times the usual gap", -1),
    )
    return [
        Feature(
            name=name,
            family="gaps and rhythm",
            op=op,
            field="rhythm",
            field_words="Rhythm of activity",
            sub_score=RHYTHM,
            unit=unit,
            group=ENGAGEMENT,
            words=words,
            null_words="too few activities to show a rhythm",
            direction=direction,
        )
        for op, name, unit, words, direction in wording
    ]


def _trends(group: str, field: str, many: str) -> list[Feature]:
    features: list[Feature] = []
    for short, long in (("7d", "30d"), ("30d", "90d")):
        entry = partial(
            Feature,
            family="trend",
            field=field,
            field_words=f"Trend of {many}",
            sub_score=RHYTHM,
            group=group,
            window=short,
            other_window=long,
        )
        lately, over = window_words(short), window_words(long)
        features += [
            entry(
                name=f"{group}_trend_{short}_{long}",
                op=Op.TREND,
                unit="per day",
                words=f"{many} {lately} against before: {{value}} a day",
                words_zero=f"{many} {lately} as before",
                null_words=f"no {many} so far",
                direction=1,
            ),
            entry(
                name=f"{group}_surge_{short}_{long}",
                op=Op.SHARE,
                unit="share",
                other_group=group,
                words=f"{{value}} of the {many} {over} came {lately}",
                words_zero=f"none of the {many} {over} came {lately}",
                null_words=f"no {many} {over}",
                direction=1,
            ),
        ]
    return features


_WHEN = ("at night", "in the morning", "in the afternoon", "in the evening", "at the weekend")
_WHEN_WORDS = dict(zip(CALENDAR_BINS, (*_WHEN, "in business hours"), strict=True))


def _hours() -> list[Feature]:
    return [
        Feature(
            name=f"share_{bin_name.replace(' ', '_')}",
            family="hours and weekdays",
            op=Op.CALENDAR_SHARE,
            field="hours",
            field_words="Hours of activity",
            sub_score=RHYTHM,
            unit="share",
            group=ENGAGEMENT,
            position=position,
            words=f"{{value}} of the activity {_WHEN_WORDS[bin_name]} (UTC)",
            words_zero=f"no activity {_WHEN_WORDS[bin_name]} (UTC)",
            null_words="no activity so far",
        )
        for position, bin_name in enumerate(CALENDAR_BINS)
    ]


def rhythm_features(taxonomy: Taxonomy) -> list[Feature]:
    """List the features of spread, gaps, trend and hours, over all engagement.

    The trend of high-intent actions stands beside that of all, where the taxonomy has them.
    """
    since_first = Feature(
        name="first_activity_days",
        family="recency",
        op=Op.SINCE_FIRST,
        field="rhythm",
        field_words="Rhythm of activity",
        sub_score=RHYTHM,
        unit="days",
        group=ENGAGEMENT,
        words="first activity {value} ago",
        null_words="no activity so far",
    )
    features = [since_first, *_spread(), *_gaps(), *_trends(ENGAGEMENT, "trend", "activity")]
    if HIGH_INTENT in taxonomy.group_words:
        many = taxonomy.group_words[HIGH_INTENT][1]
        features += _trends(HIGH_INTENT, f"{HIGH_INTENT}_trend", many)
    return [*features, *_hours()]
