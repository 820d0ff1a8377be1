"""How activity is spread over time: days, sessions, gaps, trend, hours."""

from features.catalog.feature import CALENDAR_BINS, LIFE, Feature, Op, SubScore, window_words

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
    said = (
        (Op.GAP_MEAN, "gap_mean", "days", "{value} between activities on average"),
        (Op.GAP_STD, "gap_std", "days", "gaps between activities vary by {value}"),
        (Op.SILENCE, "silence", "count", "silent for {value} times its usual gap"),
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
        )
        for op, name, unit, words in said
    ]


def _trends() -> list[Feature]:
    features: list[Feature] = []
    for group in (ENGAGEMENT,):
        for short, long in (("7d", "30d"), ("30d", "90d")):
            features += [
                Feature(
                    name=f"{group}_trend_{short}_{long}",
                    family="trend",
                    op=Op.TREND,
                    field="trend",
                    field_words="Trend of activity",
                    sub_score=RHYTHM,
                    unit="per day",
                    group=group,
                    window=short,
                    other_window=long,
                    words=f"activity {window_words(short)} against before: {{value}} a day",
                    words_zero=f"activity {window_words(short)} as before",
                    null_words="no activity so far",
                    direction=1,
                ),
                Feature(
                    name=f"{group}_surge_{short}_{long}",
                    family="trend",
                    op=Op.SHARE,
                    field="trend",
                    field_words="Trend of activity",
                    sub_score=RHYTHM,
                    unit="share",
                    group=group,
                    window=short,
                    other_group=group,
                    other_window=long,
                    words=f"{{value}} of the activity {window_words(long)} came "
                    f"{window_words(short)}",
                    words_zero=f"none of the activity {window_words(long)} came "
                    f"{window_words(short)}",
                    null_words=f"no activity {window_words(long)}",
                ),
            ]
    return features


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
            words=f"{{value}} of the activity at the {bin_name} (UTC)"
            if position == CALENDAR_BINS.index("weekend")
            else f"{{value}} of the activity in the {bin_name} (UTC)"
            if bin_name != "night"
            else "{value} of the activity at night (UTC)",
            null_words="no activity so far",
        )
        for position, bin_name in enumerate(CALENDAR_BINS)
    ]


def rhythm_features() -> list[Feature]:
    """List the features of spread, gaps, trend and hours, over all engagement."""
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
    return [since_first, *_spread(), *_gaps(), *_trends(), *_hours()]
