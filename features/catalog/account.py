"""What the lead's colleagues do: the buying committee, this lead left out."""

from functools import partial

from features.catalog.feature import LIFE, Feature, Op, window_words
from features.catalog.fit import LeadAttribute
from features.catalog.journey import stage_group
from features.lifecycle.stages import Stage
from features.taxonomy import Taxonomy

SENIORITY = "seniority"
"""The attribute that tells how senior a person is."""

SENIOR = frozenset(
    {
        "board", "c level", "c suite", "chief", "cxo", "director", "executive", "founder", "head",
        "owner", "partner", "president", "svp", "vice president", "vp",
    }
)  # fmt: skip
"""Values of it that mean somebody who decides; case, hyphens and underscores do not matter."""

ACTIVE_WINDOWS = ("7d", "30d", "90d")
COUNT_WINDOWS = ("7d", "30d", "90d", LIFE)

_entry = partial(
    Feature, family="account", sub_score="account", null_words="the lead's account is not known"
)


def is_senior(value: str) -> bool:
    """Tell whether a value of the seniority attribute means somebody who decides.

    >>> is_senior("C-Level"), is_senior("manager")
    (True, False)
    """
    return value.casefold().replace("-", " ").replace("_", " ").strip() in SENIOR


def _people(has_seniority: bool) -> list[Feature]:
    features = [
        _entry(
            name="colleagues",
            op=Op.COLLEAGUES,
            field="colleagues",
            field_words="Colleagues known",
            unit="count",
            words="{value} colleagues known",
            words_one="1 colleague known",
            words_zero="no colleague known",
        )
    ]
    who = [(0, "colleagues_active", "colleague", "colleagues")]
    if has_seniority:
        who.append((1, "senior_colleagues_active", "senior colleague", "senior colleagues"))
    features += [
        _entry(
            name=f"{name}_{window}",
            op=Op.COLLEAGUES_ACTIVE,
            field="colleagues_active",
            field_words="Active colleagues",
            unit="count",
            group="engagement",
            window=window,
            position=position,
            words=f"{{value}} {many} active {window_words(window)}",
            words_one=f"1 {one} active {window_words(window)}",
            words_zero=f"no {one} active {window_words(window)}",
            direction=1,
        )
        for position, name, one, many in who
        for window in ACTIVE_WINDOWS
    ]
    return features


def _activity(
    group: str, wording: tuple[str, str], windows: tuple[str, ...], direction: int
) -> list[Feature]:
    """List counts and recency of what colleagues did, or of where they have been."""
    name, (one, many) = group.replace("stage:", ""), wording
    features = [
        _entry(
            name=f"colleagues_{name}_count_{window}",
            op=Op.COLLEAGUE_COUNT,
            field=f"colleagues_{name}",
            field_words=f"Colleagues: {many}",
            unit="count",
            group=group,
            window=window,
            words=f"{{value}} {many} by colleagues {window_words(window)}",
            words_one=f"1 {one} by a colleague {window_words(window)}",
            words_zero=f"no {one} by a colleague {window_words(window)}",
            direction=direction,
        )
        for window in windows
    ]
    features.append(
        _entry(
            name=f"colleagues_{name}_recency",
            op=Op.COLLEAGUE_RECENCY,
            field=f"colleagues_{name}",
            field_words=f"Colleagues: {many}",
            unit="days",
            group=group,
            words=f"last {one} by a colleague {{value}} ago",
            null_words=f"no {one} by a colleague so far",
        )
    )
    return features


def _trend() -> list[Feature]:
    lately = window_words("7d")
    return [
        _entry(
            name="colleagues_trend_7d_30d",
            op=Op.COLLEAGUE_TREND,
            field="colleagues_engagement",
            field_words="Colleagues: activities",
            unit="per day",
            group="engagement",
            window="7d",
            other_window="30d",
            words=f"activities of colleagues {lately} against before: {{value}} a day",
            words_zero=f"activities of colleagues {lately} as before",
            null_words="no activity by a colleague so far",
            direction=1,
        ),
        _entry(
            name="colleagues_kinds_30d",
            op=Op.COLLEAGUE_KINDS,
            field="colleagues_engagement",
            field_words="Colleagues: activities",
            unit="count",
            group="engagement",
            window="30d",
            words=f"{{value}} kinds of activity by colleagues {window_words('30d')}",
            words_one=f"1 kind of activity by colleagues {window_words('30d')}",
            words_zero=f"no activity by colleagues {window_words('30d')}",
        ),
    ]


def account_features(taxonomy: Taxonomy, attributes: tuple[LeadAttribute, ...]) -> list[Feature]:
    """List the features of the account: who else is known there, and what they did.

    Empty cells mean that the account is not known; a lead whose account is known and that has no
    colleague has zeros.
    """
    has_seniority = any(a.name == SENIORITY and a.type == "category" for a in attributes)
    features = _people(has_seniority)
    for group in ("engagement", "high_intent"):
        if group in taxonomy.group_words:
            features += _activity(group, taxonomy.group_words[group], COUNT_WINDOWS, 1)
    for stage, wording in (
        (Stage.SQL, ("qualification", "qualifications")),
        (Stage.WON, ("deal won", "deals won")),
    ):
        features += _activity(stage_group(stage), wording, (LIFE,), 0)
    return [*features, *_trend()]
