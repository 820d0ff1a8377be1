"""What makes a column suspicious: figures of one column in, findings out. Pure.

`training.leaks.audit` tells where each threshold comes from and why dated columns are judged apart.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from training.leaks.column_facts import ColumnFacts, LabelledRows

ALONE_LEAK, ALONE_WARN = 0.90, 0.80
NULL_LEAK, NULL_WARN = 0.95, 0.50
POPULATED_LIFT, FILLED_UNDER = 1.5, 0.80
EMPTY_LIFT_LEAK, EMPTY_LIFT_WARN = 0.3, 0.6
MISSINGNESS_LOW, MISSINGNESS_HIGH = 0.7, 1.2
NEVER_LIFT, NEVER_EXPECTED = 0.05, 20
PURE = 0.98
CRAMERS_V = 0.95
CONSTANT = 0.98
MOST_CATEGORIES = 200
DIVERGENCE, FILL_DIFFERENCE, FILL_RATIO = 0.90, 0.90, 20
BEYOND_CHANCE = 4.0

DATE_IT = (
    "Find out when this is filled in. Drop the field in the mapping, give it the date column it "
    "became known at, or allow it"
)


class LeakVerdict(StrEnum):
    """How bad a finding is."""

    LEAK = "leak"
    WARN = "warn"
    NOTE = "note"
    OK = "ok"


WORST_FIRST = {verdict: position for position, verdict in enumerate(LeakVerdict)}


@dataclass(frozen=True, slots=True)
class LeakFinding:
    """One rule applied to one feature."""

    feature: str
    field: str
    rule: str
    figure: float
    threshold: str
    verdict: LeakVerdict
    advice: str
    allowed_because: str = ""
    """The reason by which a leak was let through; empty otherwise."""


ALONE = "AUC of the feature alone"
Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """One column on trial."""

    names: Names
    """Feature and field."""
    facts: ColumnFacts
    rows: LabelledRows
    dated: bool

    def find(
        self, rule: str, figure: float, threshold: str, verdict: LeakVerdict, advice: str
    ) -> LeakFinding:
        """Word one finding about this column; nothing needs doing about an ok."""
        advice_text = "" if verdict is LeakVerdict.OK else advice
        return LeakFinding(*self.names, rule, figure, threshold, verdict, advice_text)


def judge_column(
    names: Names, facts: ColumnFacts, rows: LabelledRows, *, dated: bool
) -> Iterator[LeakFinding]:
    """Apply every rule that fits the column; the figures that pass are told as ok."""
    subject = Subject(names, facts, rows, dated)
    for rule in RULES:
        yield from rule(subject)


def judge_alone(subject: Subject) -> Iterator[LeakFinding]:
    """Judge what the column ranks on its own: no single fact known in time orders leads so well."""
    figure = subject.facts.alone_auc
    verdict = LeakVerdict.OK
    # NaN compares false: a column that cannot be measured is not accused.
    if subject.facts.alone_spreads >= BEYOND_CHANCE:
        verdict = grade(figure, ALONE_LEAK, ALONE_WARN)
        if subject.dated and verdict is LeakVerdict.WARN:
            # Built from records dated before the moment: strong is not yet suspicious.
            verdict = LeakVerdict.NOTE
    advice = f"It alone nearly determines the outcome. {DATE_IT}."
    threshold = f"> {ALONE_LEAK:g} leak, > {ALONE_WARN:g} warn"
    yield subject.find(ALONE, figure, threshold, verdict, advice)


def judge_null_indicator(subject: Subject) -> Iterator[LeakFinding]:
    """Judge how closely being missing goes with the outcome."""
    figure = abs(subject.facts.null_phi)
    leads = subject.facts.populated_leads + subject.facts.empty_leads
    verdict = LeakVerdict.OK
    if figure * np.sqrt(leads) >= BEYOND_CHANCE:
        verdict = grade(figure, NULL_LEAK, NULL_WARN)
    advice = f"Whether it is filled in determines the outcome. {DATE_IT}."
    threshold = f"> {NULL_LEAK:g} leak, > {NULL_WARN:g} warn"
    yield subject.find("missing goes with the outcome", figure, threshold, verdict, advice)


def judge_future_information(subject: Subject) -> Iterator[LeakFinding]:
    """Judge Lattice's pair: filled in mostly for those who convert, empty for those who do not.

    Their text "not populated in at least 80 %" is read as filled in under 80 % of rows. The
    limit .3 is that of their older product; on a dated column the pair is natural (few ask for a
    demo, and those who do convert), so it is not judged there.
    """
    facts = subject.facts
    if subject.dated or np.isnan(facts.populated_lift) or np.isnan(facts.empty_lift):
        return
    verdict = LeakVerdict.OK
    if (
        facts.filled < FILLED_UNDER
        and facts.populated_lift > POPULATED_LIFT
        and is_beyond_chance(facts.empty_lift, facts.empty_leads, subject.rows.base_rate)
    ):
        verdict = grade(-facts.empty_lift, -EMPTY_LIFT_LEAK, -EMPTY_LIFT_WARN)
    threshold = f"< {EMPTY_LIFT_LEAK:g} leak, < {EMPTY_LIFT_WARN:g} warn"
    advice = f"It is filled in mostly for leads that convert. {DATE_IT}."
    yield subject.find("empty-value lift", facts.empty_lift, threshold, verdict, advice)


def judge_missingness(subject: Subject) -> Iterator[LeakFinding]:
    """Judge Lattice's "predicts from missingness" on undated columns."""
    lift = subject.facts.empty_lift
    if subject.dated or np.isnan(lift):
        return
    is_odd = lift < MISSINGNESS_LOW or lift > MISSINGNESS_HIGH
    certain = is_beyond_chance(lift, subject.facts.empty_leads, subject.rows.base_rate)
    verdict = LeakVerdict.WARN if is_odd and certain else LeakVerdict.OK
    threshold = f"< {MISSINGNESS_LOW:g} or > {MISSINGNESS_HIGH:g} warn"
    advice = (
        "Its absence says more than its value may. Make sure that it is filled in at creation."
    )
    yield subject.find("predicts from missingness", lift, threshold, verdict, advice)


def judge_filled_for_losers(subject: Subject) -> Iterator[LeakFinding]:
    """Judge a column that is filled in only where the event never came: a loss reason."""
    facts = subject.facts
    expected = facts.populated_leads * subject.rows.base_rate
    if np.isnan(facts.populated_lift) or expected < NEVER_EXPECTED:
        return
    verdict = LeakVerdict.OK
    if facts.populated_lift <= NEVER_LIFT:
        verdict = LeakVerdict.WARN if subject.dated else LeakVerdict.LEAK
    threshold = f"<= {NEVER_LIFT:g}"
    advice = f"It is filled in only for leads that do not convert. {DATE_IT}."
    yield subject.find("populated-value lift", facts.populated_lift, threshold, verdict, advice)


def judge_purity(subject: Subject) -> Iterator[LeakFinding]:
    """Judge a value whose holders convert almost without exception."""
    figure = subject.facts.purest_rate
    if np.isnan(figure) or subject.rows.base_rate > 0.5:
        return
    verdict = LeakVerdict.OK
    if figure >= PURE:
        verdict = LeakVerdict.WARN if subject.dated else LeakVerdict.LEAK
    group = subject.facts.purest_group
    advice = f"Nearly all leads with {group} convert. {DATE_IT}."
    yield subject.find("conversion rate of one value", figure, f">= {PURE:g}", verdict, advice)


def judge_cramers_v(subject: Subject) -> Iterator[LeakFinding]:
    """Judge how closely a category goes with the outcome."""
    figure = subject.facts.cramers_v
    if np.isnan(figure):
        return
    verdict = LeakVerdict.LEAK if figure > CRAMERS_V else LeakVerdict.OK
    advice = f"Its values mirror the outcome. {DATE_IT}."
    yield subject.find("Cramér's V", figure, f"> {CRAMERS_V:g}", verdict, advice)


def judge_constant(subject: Subject) -> Iterator[LeakFinding]:
    """Note a column that is nearly always the same."""
    figure = subject.facts.commonest
    verdict = LeakVerdict.NOTE if figure >= CONSTANT else LeakVerdict.OK
    advice = "It hardly varies, so it can explain little. Leave it out if it costs effort."
    yield subject.find("share of one value", figure, f">= {CONSTANT:g}", verdict, advice)


def judge_cardinality(subject: Subject) -> Iterator[LeakFinding]:
    """Note a category with very many values."""
    if np.isnan(subject.facts.cramers_v):
        return
    figure = float(subject.facts.distinct)
    verdict = LeakVerdict.NOTE if figure > MOST_CATEGORIES else LeakVerdict.OK
    advice = "So many values are learnt by heart. Group them in the mapping."
    yield subject.find("distinct values", figure, f"> {MOST_CATEGORIES}", verdict, advice)


RULES: tuple[Callable[[Subject], Iterator[LeakFinding]], ...] = (
    judge_alone,
    judge_null_indicator,
    judge_future_information,
    judge_missingness,
    judge_filled_for_losers,
    judge_purity,
    judge_cramers_v,
    judge_constant,
    judge_cardinality,
)


def judge_shift(
    names: Names, divergence: float, fill_before: float, fill_after: float
) -> Iterator[LeakFinding]:
    """Judge how a column moved between the training slice and a later one."""
    advice = "Its meaning or its recording changed between training and later data: ask its owner."
    verdict = LeakVerdict.WARN if divergence > DIVERGENCE else LeakVerdict.OK
    yield LeakFinding(
        *names, "shift in bits", divergence, f"> {DIVERGENCE:g}", verdict, advise(advice, verdict)
    )
    low, high = sorted((fill_before, fill_after))
    # A ratio of two tiny fill rates is noise; one side must be filled in at least one in twenty.
    is_far = high - low > FILL_DIFFERENCE or (high >= 0.05 and high > FILL_RATIO * low)
    verdict = LeakVerdict.WARN if is_far else LeakVerdict.OK
    threshold = f"> {FILL_DIFFERENCE:g} or {FILL_RATIO} times"
    yield LeakFinding(
        *names, "change of fill rate", high - low, threshold, verdict, advise(advice, verdict)
    )


def grade(figure: float, leak: float, warn: float) -> LeakVerdict:
    """Grade a figure of which more is worse."""
    if figure > leak:
        return LeakVerdict.LEAK
    return LeakVerdict.WARN if figure > warn else LeakVerdict.OK


def is_beyond_chance(lift: float, leads: float, base_rate: float) -> bool:
    """Say whether a group's rate differs from the base rate by more than chance makes."""
    if base_rate in (0, 1):
        return False
    spread = np.sqrt((1 - base_rate) / (base_rate * leads))
    return bool(abs(lift - 1) >= BEYOND_CHANCE * spread)


def advise(advice: str, verdict: LeakVerdict) -> str:
    """Keep advice only where something is to be done."""
    return "" if verdict is LeakVerdict.OK else advice
