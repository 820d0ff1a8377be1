"""The leak audit: a gate, not a warning.

A leak is a feature that knows the outcome because it was filled in afterwards. The audit looks
at the training slice only, judges every feature by published thresholds where there are any, and
stops the run on a leak unless the field is allowed by name with a reason, which goes on the card.

Sources: Lattice / D&B Rev.Up warnings (populated lift, empty lift, constants, categories, health
score above .85); TransmogrifAI defaults, read in its code (null-indicator correlation .95,
Cramér's V .95, Jensen-Shannon divergence .90 in bits, fill difference .90, fill ratio 20). The
limits of single-feature AUC (.80, .90), of a pure group (98 %) and the stricter null-indicator
warning (.50) are ours.

Two kinds of column are judged differently. A *dated* column is computed from records that carry
their own moment: "no demo request so far" is knowledge, and missing values may go with the
outcome as they like. An *undated* column is an attribute that the mapping merely claims was known
at creation; there, missingness that follows the outcome is the classic trace of back-filling.
Nothing is called a leak, or warned of, that chance alone could make: a figure must lie four
standard deviations from no signal, counted in leads, not rows.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.catalog.feature import Op
from features.catalog.manifest import Catalog
from training.evaluation.resampling import check_length
from training.leaks.column_facts import (
    LabelledRows,
    measure_column,
    measure_shift,
    prepare_rows,
)
from training.leaks.pairs import judge_pairs
from training.leaks.rules import (
    ALONE,
    WORST_FIRST,
    LeakFinding,
    LeakVerdict,
    judge_column,
    judge_shift,
)

TOO_GOOD = 0.85


class LeakFoundError(Exception):
    """Features know the outcome, and nobody allowed them."""

    def __init__(self, leaks: Sequence["LeakFinding"]) -> None:
        self.leaks = tuple(leaks)
        self.fields = tuple(dict.fromkeys(leak.field for leak in leaks))
        lines = [
            f"  {leak.feature} (field {leak.field}): {leak.rule} {leak.figure:.3f}, "
            f"limit {leak.threshold}"
            for leak in leaks
        ]
        allow = " ".join(f'--allow-leak {name}="reason"' for name in self.fields)
        super().__init__(
            f"{len(self.fields)} field(s) know the outcome in advance:\n"
            + "\n".join(lines)
            + "\nFor each: drop it in the mapping; or give it the date column it became known "
            f"at; or, if it is truly known in time, allow it with the reason: {allow}"
        )


class ReasonMissingError(Exception):
    """A leak was allowed without saying why."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f'Allowing {name} needs a reason, which goes on the model card: --allow-leak {name}="..."'
        )


@dataclass(frozen=True)
class AuditColumn:
    """One column of the training slice's feature matrix."""

    feature: str
    field: str
    """The business field it belongs to; allowances and advice speak of fields."""
    values: NDArray[np.floating]
    """Shape (n,): NaN is missing; category codes for a category. A view will do."""
    categories: tuple[str, ...] | None = None
    """Names of the codes; None for a number."""
    dated: bool = False
    """Whether every value comes from records dated before the moment of looking."""
    later: NDArray[np.floating] | None = None
    """The same column of a later slice, for the shift rules."""


class FeatureLike(Protocol):
    """The part of a catalogue feature that the audit reads."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def field(self) -> str: ...  # noqa: D102
    @property
    def dtype(self) -> str: ...  # noqa: D102
    @property
    def categories(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """What the audit thinks of a business field: the worst of its features."""

    field: str
    verdict: LeakVerdict
    features: int
    strongest_auc: float
    """Highest single-feature AUC; NaN if none could be measured."""


@dataclass(frozen=True)
class LeakAudit:
    """All findings of one audit, in the order of features and rules."""

    rows: tuple[LeakFinding, ...]
    n_features: int
    n_rows: int
    n_sampled: int
    """Rows that ranking was measured on."""
    unused_allowances: tuple[str, ...] = ()
    extra: tuple[LeakFinding, ...] = ()
    """Findings about the whole model, see `judge_auc`."""

    @property
    def leaks(self) -> tuple[LeakFinding, ...]:
        """Leaks that nobody allowed."""
        return tuple(
            row for row in self.rows if row.verdict is LeakVerdict.LEAK and not row.allowed_because
        )

    @property
    def allowed(self) -> tuple[LeakFinding, ...]:
        """Leaks that were let through, each with its reason."""
        return tuple(row for row in self.rows if row.allowed_because)

    def check(self) -> None:
        """Stop the run if a feature leaks and is not allowed.

        Raises
        ------
        LeakFoundError
            Naming each guilty feature, its figure and what to do.
        """
        if self.leaks:
            raise LeakFoundError(self.leaks)

    def with_searched(
        self, searched: Sequence[LeakFinding], allow: Mapping[str, str]
    ) -> "LeakAudit":
        """Add what the hunt found; see `leak_hunt.search_leak`."""
        allowances = check_allowances(allow)
        found = [apply_allowance(finding, allowances) for finding in searched]
        used = {row.field for row in found if row.allowed_because}
        return replace(
            self,
            rows=(*self.rows, *found),
            unused_allowances=tuple(n for n in self.unused_allowances if n not in used),
        )

    def judge_auc(self, auc: float) -> "LeakAudit":
        """Add the verdict on the model's own AUC, naming the strongest fields as suspects."""
        strongest = sorted(
            (row for row in self.list_fields() if not np.isnan(row.strongest_auc)),
            key=lambda row: -row.strongest_auc,
        )
        return replace(self, extra=(too_good(auc, [row.field for row in strongest[:3]]),))

    def list_fields(self) -> tuple[FieldVerdict, ...]:
        """List each field with the worst verdict on its features, worst first."""
        by_field: dict[str, list[LeakFinding]] = {}
        for row in self.rows:
            by_field.setdefault(row.field, []).append(row)
        verdicts = [
            FieldVerdict(
                field=name,
                verdict=min((row.verdict for row in rows), key=WORST_FIRST.__getitem__),
                features=len({row.feature for row in rows}),
                strongest_auc=max(
                    (row.figure for row in rows if row.rule == ALONE and not np.isnan(row.figure)),
                    default=float("nan"),
                ),
            )
            for name, rows in by_field.items()
        ]
        return tuple(sorted(verdicts, key=lambda verdict: WORST_FIRST[verdict.verdict]))

    def describe(self) -> dict[str, Any]:
        """Describe the audit for the model card.

        Returns
        -------
        dict
            ``summary`` (a sentence), ``findings`` (all but ok, worst first), ``fields``,
            ``warnings`` (sentences), ``unused_allowances``.
        """
        findings_ = [row for row in (*self.extra, *self.rows) if row.verdict is not LeakVerdict.OK]
        findings_.sort(key=lambda row: WORST_FIRST[row.verdict])
        return {
            "summary": self.summarise(),
            "findings": findings_,
            "fields": self.list_fields(),
            "warnings": list(word_warnings(self)),
            "unused_allowances": self.unused_allowances,
        }

    def summarise(self) -> str:
        """Count the verdicts in one sentence."""
        counts = {
            verdict: len({row.feature for row in self.rows if row.verdict is verdict})
            for verdict in LeakVerdict
        }
        sampled = "" if self.n_sampled == self.n_rows else f" (ranking on {self.n_sampled:,})"
        return (
            f"{self.n_features} features on {self.n_rows:,} training rows{sampled}: "
            f"{counts[LeakVerdict.LEAK]} leak, of which "
            f"{len({row.feature for row in self.allowed})} allowed; {counts[LeakVerdict.WARN]} with a "
            f"warning; {counts[LeakVerdict.NOTE]} with a note."
        )


def word_warnings(audit: LeakAudit) -> Iterator[str]:
    """Word what the card must warn of, one sentence per field and rule."""
    for row in audit.extra:
        if row.verdict is LeakVerdict.WARN:
            yield f"{row.rule}: {row.figure:.3f} (limit {row.threshold}). {row.advice}"
    for row in audit.allowed:
        yield f"Allowed although it looks like a leak: {row.feature} ({row.allowed_because})."
    grouped: dict[tuple[str, str], list[LeakFinding]] = {}
    for row in audit.rows:
        if row.verdict is LeakVerdict.WARN:
            grouped.setdefault((row.field, row.rule), []).append(row)
    for (name, rule), rows in grouped.items():
        others = f" and {len(rows) - 1} more of its features" if len(rows) > 1 else ""
        yield (
            f"Field {name}: {rule} is {rows[0].figure:.2f} (limit {rows[0].threshold}) in "
            f"{rows[0].feature}{others}."
        )
    for name in audit.unused_allowances:
        yield f"The allowance for {name} had nothing to allow; remove it."


def audit(
    columns: Sequence[AuditColumn],
    y: ArrayLike,
    *,
    lead_index: ArrayLike | None = None,
    allow: Mapping[str, str] | None = None,
    came_later: ArrayLike | None = None,
) -> LeakAudit:
    """Audit the training slice, feature by feature; call `LeakAudit.check` to close the gate.

    Missingness is counted on all rows, ranking on at most 50,000 drawn with a fixed seed.

    Parameters
    ----------
    columns : sequence of AuditColumn
        See `build_audit_columns`.
    y : array of shape (n,)
        1 where the event came, else 0.
    lead_index : array of shape (n,), optional
        Which lead each row shows.
    allow : mapping of str to str, optional
        Field or feature name to the reason why it is no leak.
    came_later : array of shape (n,), optional
        1 where the event came at any time after the moment, within the horizon or not. A field
        written back afterwards knows that, not the horizon: undated columns are judged by it too.

    Raises
    ------
    ReasonMissingError
        If an allowance has no reason.
    EvaluationError
        If the slice is empty, lengths differ or a label is not 0 or 1.
    """
    allowances = check_allowances(allow or {})
    rows = prepare_rows(y, lead_index)
    ever = None if came_later is None else prepare_rows(came_later, lead_index)
    found: list[LeakFinding] = []
    for column in columns:
        check_length(column.feature, column.values, len(rows.positive))
        facts = measure_column(column.values, column.categories, rows)
        names = (column.feature, column.field)
        found.extend(judge_column(names, facts, rows, dated=column.dated))
        if ever is not None and not column.dated:
            found.extend(judge_by_hindsight(column, ever))
        if column.later is not None and len(column.later):
            is_category = column.categories is not None
            shift = measure_shift(column.values, column.later, is_category=is_category)
            found.extend(judge_shift(names, *shift))
    found.extend(_judge_together(columns, found, ever or rows))
    allowed = [apply_allowance(finding, allowances) for finding in found]
    used = {row.field for row in allowed if row.allowed_because}
    used |= {row.feature for row in allowed if row.allowed_because}
    return LeakAudit(
        rows=tuple(allowed),
        n_features=len(columns),
        n_rows=len(rows.positive),
        n_sampled=len(rows.sample),
        unused_allowances=tuple(name for name in allowances if name not in used),
    )


def _judge_together(
    columns: Sequence[AuditColumn], found: Sequence[LeakFinding], rows: LabelledRows
) -> Iterator[LeakFinding]:
    """Judge pairs of undated columns, but for those that leak by themselves already."""
    leaking = {row.field for row in found if row.verdict is LeakVerdict.LEAK}
    suspects = [
        ((column.feature, column.field), column.values, column.categories is not None)
        for column in columns
        if not column.dated and column.field not in leaking
    ]
    yield from judge_pairs(suspects, rows)


def judge_by_hindsight(column: AuditColumn, ever: LabelledRows) -> Iterator[LeakFinding]:
    """Judge an undated column by whether the event ever came: only a leak is worth telling."""
    facts = measure_column(column.values, column.categories, ever)
    for finding in judge_column((column.feature, column.field), facts, ever, dated=False):
        if finding.verdict is LeakVerdict.LEAK:
            yield replace(finding, rule=f"{finding.rule}, outcome at any time")


def find_undated(catalog: Catalog) -> set[str]:
    """Find the fields that are undated: attributes, and whatever is derived from one.

    Its records have dates; an attribute is only claimed to have been known at creation.
    """
    of = {feature.name: feature for feature in catalog.features}
    derived = {
        feature.field
        for feature in catalog.features
        if any(of[name].op is Op.ATTRIBUTE for name in feature.inputs)
    }
    return {attribute.name for attribute in catalog.attributes} | derived


def build_audit_columns(
    features: Sequence[FeatureLike],
    matrix: NDArray[np.floating],
    *,
    undated_fields: Collection[str],
    later: NDArray[np.floating] | None = None,
) -> list[AuditColumn]:
    """Build the audit's columns as views of a feature matrix.

    Parameters
    ----------
    features : sequence of length k
        Catalogue features in column order.
    matrix : ndarray of shape (n, k)
    undated_fields : collection of str
        Fields that the mapping says are known at creation, without a date of their own.
    later : ndarray of shape (m, k), optional
        Features of a later slice, for the shift rules.
    """
    return [
        AuditColumn(
            feature=feature.name,
            field=feature.field,
            values=matrix[:, position],
            categories=tuple(feature.categories) if feature.dtype == "category" else None,
            dated=feature.field not in undated_fields,
            later=None if later is None else later[:, position],
        )
        for position, feature in enumerate(features)
    ]


def check_allowances(allow: Mapping[str, str]) -> dict[str, str]:
    """Refuse an allowance without a reason."""
    for name, reason in allow.items():
        if not reason.strip():
            raise ReasonMissingError(name)
    return {name: reason.strip() for name, reason in allow.items()}


def apply_allowance(finding: LeakFinding, allowances: Mapping[str, str]) -> LeakFinding:
    """Attach the reason to a leak that is allowed by feature or by field."""
    reason = allowances.get(finding.feature) or allowances.get(finding.field)
    if finding.verdict is not LeakVerdict.LEAK or not reason:
        return finding
    return replace(finding, allowed_because=reason)


def too_good(auc: float, suspects: Iterable[str] = ()) -> LeakFinding:
    """Judge a model's AUC on later data: above .85 a leak is likelier than a gift.

    Lattice wants a health score of .65 to .85 and calls more "often overfitting". An unknown AUC
    is not too good.

    Parameters
    ----------
    suspects : iterable of str
        Fields to look at first, the strongest first.
    """
    named = ", ".join(suspects)
    first = f" Look first at: {named}." if named else ""
    is_alarming = auc > TOO_GOOD
    return LeakFinding(
        feature="(whole model)",
        field="(whole model)",
        rule="too good to be true",
        figure=auc,
        threshold=f"> {TOO_GOOD:g}",
        verdict=LeakVerdict.WARN if is_alarming else LeakVerdict.OK,
        advice=(
            "Such an AUC usually means that a field is filled in after the outcome."
            f"{first} Train without it and compare."
            if is_alarming
            else ""
        ),
    )
