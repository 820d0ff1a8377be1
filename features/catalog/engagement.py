"""Counts, values and mix of what the lead does: how much, how recently, of which kind."""

from features.catalog.feature import LIFE, Feature, Op, window_words
from features.taxonomy import Taxonomy

WINDOWS = ("1d", "7d", "30d", "90d", LIFE)
HALF_LIVES_DAYS = (3.0, 14.0)
HIGH_INTENT = "high_intent"
"""The group whose share and trend say most, where the taxonomy has it."""
MAILS, REACTIONS = "email_receive", (("email_open", "open"), ("email_click", "click"))
"""What was sent to the lead, and the kinds that answer it, where the taxonomy has them."""


def _words_of(taxonomy: Taxonomy, group: str) -> tuple[str, str]:
    for kind in taxonomy.kinds:
        if kind.name == group:
            return kind.one, kind.many
    return taxonomy.group_words[group]


def _titled(words: str) -> str:
    return words[:1].upper() + words[1:]


def _direction(taxonomy: Taxonomy, group: str) -> int:
    """More of what leads do is agreed to mean more interest; more of what they receive is not."""
    return int(set(taxonomy.kinds_in(group)) <= set(taxonomy.kinds_in("engagement")))


def _count(taxonomy: Taxonomy, group: str, window: str) -> Feature:
    one, many = _words_of(taxonomy, group)
    return Feature(
        name=f"{group}_count_{window}",
        family="counts",
        op=Op.COUNT,
        field=group,
        field_words=_titled(many),
        sub_score="engagement",
        unit="count",
        group=group,
        window=window,
        words=f"{{value}} {many} {window_words(window)}",
        words_one=f"1 {one} {window_words(window)}",
        words_zero=f"no {one} {window_words(window)}",
        null_words=f"no {one} {window_words(window)}",
        direction=_direction(taxonomy, group),
    )


def _recency(taxonomy: Taxonomy, group: str) -> Feature:
    one, many = _words_of(taxonomy, group)
    return Feature(
        name=f"{group}_recency",
        family="recency",
        op=Op.RECENCY,
        field=group,
        field_words=_titled(many),
        sub_score="engagement",
        unit="days",
        group=group,
        words=f"last {one} {{value}} ago",
        null_words=f"no {one} so far",
        direction=-_direction(taxonomy, group),
    )


def _intensities(taxonomy: Taxonomy, group: str) -> list[Feature]:
    one, many = _words_of(taxonomy, group)
    return [
        Feature(
            name=f"{group}_intensity_{days:g}d",
            family="decayed intensity",
            op=Op.INTENSITY,
            field=group,
            field_words=_titled(many),
            sub_score="engagement",
            unit="count",
            group=group,
            half_life_days=days,
            words=f"{{value}} {many} lately, each counting half after {days:g} days",
            words_zero=f"no {one} lately",
            null_words=f"no {one} so far",
            direction=_direction(taxonomy, group),
        )
        for days in HALF_LIVES_DAYS
    ]


def _mix() -> list[Feature]:
    features = []
    for window in ("30d", LIFE):
        features += [
            Feature(
                name=f"channels_{window}",
                family="channel and content mix",
                op=Op.CHANNELS,
                field="channels",
                field_words="Channels used",
                sub_score="engagement",
                unit="count",
                group="engagement",
                window=window,
                words=f"{{value}} channels used {window_words(window)}",
                words_one=f"1 channel used {window_words(window)}",
                words_zero=f"no channel used {window_words(window)}",
                null_words="no channel known",
            ),
            Feature(
                name=f"kinds_{window}",
                family="channel and content mix",
                op=Op.KINDS,
                field="variety",
                field_words="Variety of activity",
                sub_score="engagement",
                unit="count",
                group="engagement",
                window=window,
                words=f"{{value}} kinds of activity {window_words(window)}",
                words_one=f"1 kind of activity {window_words(window)}",
                words_zero=f"no activity {window_words(window)}",
                null_words="no activity so far",
            ),
        ]
    return features


def _values() -> list[Feature]:
    features = []
    for window in ("30d", LIFE):
        for op, words in (
            (Op.VALUE_SUM, "activities worth {value} together"),
            (Op.VALUE_MAX, "most valuable activity worth {value}"),
        ):
            features.append(
                Feature(
                    name=f"{op}_{window}",
                    family="values",
                    op=op,
                    field="value",
                    field_words="Value of activities",
                    sub_score="engagement",
                    unit="as given",
                    group="engagement",
                    window=window,
                    words=f"{words} {window_words(window)}",
                    words_zero=f"no activity with a value {window_words(window)}",
                    null_words=f"no activity with a value {window_words(window)}",
                )
            )
    return features


def _shares(taxonomy: Taxonomy) -> list[Feature]:
    features = []
    for group in taxonomy.group_words:
        if group == "engagement":
            continue
        _, many = _words_of(taxonomy, group)
        features += [
            Feature(
                name=f"{group}_share_{window}",
                family="channel and content mix",
                op=Op.SHARE,
                field=group,
                field_words=_titled(many),
                sub_score="engagement",
                unit="share",
                group=group,
                window=window,
                other_group="engagement",
                other_window=window,
                words=f"{many} are {{value}} of the activity {window_words(window)}",
                words_zero=f"no {many} in the activity {window_words(window)}",
                null_words=f"no activity {window_words(window)}",
                direction=int(group == HIGH_INTENT),
            )
            for window in ("30d", LIFE)
        ]
    return features


def _reactions(taxonomy: Taxonomy) -> list[Feature]:
    window = "90d"
    return [
        Feature(
            name=f"email_{action}_rate_{window}",
            family="channel and content mix",
            op=Op.SHARE,
            field="email_rate",
            field_words="Reaction to e-mails",
            sub_score="engagement",
            unit="share",
            group=kind,
            window=window,
            other_group=MAILS,
            other_window=window,
            words=f"e-mail {action}s are {{value}} of the e-mails received {window_words(window)}",
            words_zero=f"no e-mail {action} {window_words(window)}, though e-mails were received",
            null_words=f"no e-mail received {window_words(window)}",
            direction=1,
        )
        for kind, action in REACTIONS
        if {kind, MAILS} <= set(taxonomy.kind_names)
    ]


def _touches(taxonomy: Taxonomy) -> list[Feature]:
    kinds = taxonomy.kind_names
    combinations = (
        (Op.FIRST_CHANNEL, "first_touch_channel", "First touch", "first contact by {value}"),
        (Op.LAST_CHANNEL, "last_touch_channel", "Last touch", "latest contact by {value}"),
        (Op.FIRST_KIND, "first_touch_kind", "First touch", "began with: {value}"),
        (Op.LAST_KIND, "last_touch_kind", "Last touch", "latest activity: {value}"),
    )
    return [
        Feature(
            name=name,
            family="first and last touch",
            op=op,
            field=name.rsplit("_", 1)[0],
            field_words=field_words,
            sub_score="engagement",
            unit="code",
            group="engagement",
            words=words,
            null_words="no activity so far"
            if op in {Op.FIRST_KIND, Op.LAST_KIND}
            else "channel not known",
            categories=kinds if op in {Op.FIRST_KIND, Op.LAST_KIND} else taxonomy.channels,
        )
        for op, name, field_words, words in combinations
    ]


def engagement_features(taxonomy: Taxonomy) -> list[Feature]:
    """List the engagement features of a taxonomy, of every kind and every group.

    Counts stand window by window, so that the kernel writes those of all groups as one block.
    """
    names = (*taxonomy.kind_names, *taxonomy.group_words)
    features = [_count(taxonomy, name, window) for window in WINDOWS for name in names]
    features += [_recency(taxonomy, name) for name in names]
    for group in taxonomy.group_words:
        features += _intensities(taxonomy, group)
    return [
        *features,
        *_mix(),
        *_values(),
        *_shares(taxonomy),
        *_reactions(taxonomy),
        *_touches(taxonomy),
    ]
