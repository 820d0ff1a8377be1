"""Where the lead has been: age, stage, moves, earlier handoffs and returns."""

from functools import partial

from features.catalog.feature import LIFE, STAGES_GROUP, WEEKDAYS, Feature, Op
from features.lifecycle.reasons import DISTINGUISHED, Finding, ReturnReason
from features.lifecycle.stages import Stage

STAGE_WORDS: dict[Stage, str] = {
    Stage.LEAD: "lead",
    Stage.MQL: "marketing-qualified",
    Stage.SAL: "accepted by sales",
    Stage.SQL: "sales-qualified",
    Stage.OPPORTUNITY: "opportunity",
    Stage.WON: "won",
    Stage.LOST: "lost",
    Stage.RETURNED: "returned to marketing",
}


REASON_WORDS: dict[ReturnReason, str] = {
    ReturnReason.BAD_FIT: "poor fit",
    ReturnReason.WRONG_PERSON: "wrong person",
    ReturnReason.NO_INTEREST: "no interest",
    ReturnReason.NO_BUDGET: "no budget",
    ReturnReason.COMPETITOR: "competitor",
    ReturnReason.NOT_READY: "not ready yet",
    ReturnReason.UNREACHABLE: "nobody reached",
    ReturnReason.DUPLICATE: "duplicate",
}
NO_REASON_WORDS = "another reason, or none given"

FINDING_WORDS: dict[Finding, str] = {
    Finding.REJECTED: "rejected by sales",
    Finding.UNREACHABLE: "returned as unreachable",
    Finding.TOO_EARLY: "returned as too early",
}


def stage_group(stage: Stage) -> str:
    """Name the group that holds the changes to one stage."""
    return f"stage:{stage}"


RETURNS_GROUP = stage_group(Stage.RETURNED)
"""All returns, whatever the reason; each reason is a kind of its own in it."""


def finding_group(finding: Finding) -> str:
    """Name the group that holds the returns that found one thing."""
    return f"returned:{finding}"


def _age() -> list[Feature]:
    entry = partial(Feature, sub_score="journey", null_words="moment of creation not known")
    return [
        entry(
            name="days_since_created",
            family="journey",
            op=Op.AGE,
            field="time_since_created",
            field_words="Time since creation",
            unit="days",
            words="{value} since creation",
        ),
        entry(
            name="created_weekday",
            family="journey",
            op=Op.CREATED_WEEKDAY,
            field="created",
            field_words="Moment of creation",
            unit="code",
            words="created on a {value}",
            categories=WEEKDAYS,
        ),
        entry(
            name="created_hour",
            family="journey",
            op=Op.CREATED_HOUR,
            field="created",
            field_words="Moment of creation",
            unit="hour",
            words="created at {value} o'clock (UTC)",
        ),
    ]


def _moves() -> list[Feature]:
    entry = partial(
        Feature,
        family="journey",
        field="stage",
        field_words="Stage",
        sub_score="journey",
        group=STAGES_GROUP,
    )
    return [
        entry(
            name="current_stage",
            op=Op.LAST_KIND,
            unit="code",
            words="stage: {value}",
            null_words="no stage recorded yet",
            categories=tuple(STAGE_WORDS.values()),
        ),
        entry(
            name="days_in_stage",
            op=Op.RECENCY,
            unit="days",
            words="in this stage for {value}",
            null_words="no stage recorded yet",
        ),
        entry(
            name="stage_changes",
            op=Op.COUNT,
            window=LIFE,
            unit="count",
            words="{value} stage changes so far",
            words_one="1 stage change so far",
            words_zero="no stage change so far",
            null_words="no stage change so far",
        ),
    ]


_EARLIER: dict[Stage, tuple[str, str]] = {
    Stage.MQL: ("marketing-qualified", "never marketing-qualified so far"),
    Stage.SAL: ("accepted by sales", "never accepted by sales so far"),
    Stage.SQL: ("sales-qualified", "never sales-qualified so far"),
    Stage.WON: ("won", "never won so far"),
    Stage.LOST: ("lost", "never lost so far"),
    Stage.RETURNED: ("returned to marketing", "never returned to marketing"),
}


def _earlier() -> list[Feature]:
    features = []
    for stage, (action, never) in _EARLIER.items():
        entry = partial(
            Feature,
            family="earlier handoffs and returns",
            field=f"earlier_{stage}",
            field_words=f"Earlier {action}",
            sub_score="journey",
            group=stage_group(stage),
            null_words=never,
        )
        features += [
            entry(
                name=f"{stage}_count",
                op=Op.COUNT,
                window=LIFE,
                unit="count",
                words=f"{action} {{value}} times so far",
                words_one=f"{action} once so far",
                words_zero=never,
                direction=-1 if stage is Stage.RETURNED else 0,
            ),
            entry(
                name=f"{stage}_recency",
                op=Op.RECENCY,
                unit="days",
                words=f"last {action} {{value}} ago",
            ),
        ]
    return features


def _findings() -> list[Feature]:
    features = []
    for finding, action in FINDING_WORDS.items():
        entry = partial(
            Feature,
            family="earlier handoffs and returns",
            field=f"earlier_{finding}",
            field_words=f"Earlier {action}",
            sub_score="journey",
            group=finding_group(finding),
            null_words=f"never {action}",
        )
        features += [
            entry(
                name=f"returned_{finding}_count",
                op=Op.COUNT,
                window=LIFE,
                unit="count",
                words=f"{action} {{value}} times so far",
                words_one=f"{action} once so far",
                words_zero=f"never {action}",
                # Nobody reached, or not now, is no verdict on the lead.
                direction=-1 if finding is Finding.REJECTED else 0,
            ),
            entry(
                name=f"returned_{finding}_recency",
                op=Op.RECENCY,
                unit="days",
                words=f"last {action} {{value}} ago",
            ),
        ]
    return features


def _last_return() -> Feature:
    return Feature(
        name="last_return_reason",
        family="earlier handoffs and returns",
        op=Op.LAST_KIND,
        field="earlier_returned",
        field_words=f"Earlier {_EARLIER[Stage.RETURNED][0]}",
        sub_score="journey",
        unit="code",
        group=RETURNS_GROUP,
        words="reason of the last return: {value}",
        null_words=_EARLIER[Stage.RETURNED][1],
        categories=(NO_REASON_WORDS, *(REASON_WORDS[reason] for reason in DISTINGUISHED)),
    )


def journey_features() -> list[Feature]:
    """List the features of age, stage history, and earlier handoffs and returns."""
    return [*_age(), *_moves(), *_earlier(), *_findings(), _last_return()]
