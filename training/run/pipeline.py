"""One run, from snapshots to a registered bundle; several outcomes side by side if asked."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.catalog.manifest import Catalog
from features.contracts.history import History
from features.kernel.layout import lead_index
from training.bundle import Bundle, Contract, Scale, load_bundle, seal_bundle, write_bundle
from training.card.brought import list_brought
from training.card.facts import (
    ModelReasons,
    evaluate,
    explain,
    gather_facts,
    measured_bands,
    points_of,
    sample_profile,
    write_model_reasons,
    write_pictures,
)
from training.card.pages import render_card
from training.card.report import Quality, build_card, to_plain
from training.dataset.availability import list_availability
from training.dataset.moments import Dataset, build_datasets, build_moments, check_slices
from training.dataset.protected import ProtectedField, list_left_out
from training.engine import IN_PROCESS, Engine, with_installed
from training.estimators.candidates import POINTS
from training.estimators.points import read_points
from training.evaluation.selection import GroupRow, measure_selection
from training.labels.moves import NEVER, read_moves
from training.leaks.audit import (
    TOO_GOOD,
    LeakAudit,
    audit,
    build_audit_columns,
    find_undated,
)
from training.leaks.search import search_leak
from training.models.amount import AmountModel
from training.reference_profile import build_support
from training.run.draft import make_draft, place_draft
from training.run.options import RunOptions
from training.run.timing import TimingRun, learn_timing, write_timing
from training.selection.competition import (
    Competition,
    FittedCandidate,
    Progress,
    compete,
    keep_accounts_if_they_help,
    try_out,
)
from training.selection.deal_value import ValueFacts, find_amounts, fit_amount, measure_value
from training.selection.exposure import measure_exposure
from training.selection.segments import fit_segments, read_rules

PACKAGES = ("numpy", "numba", "scikit-learn", "lightgbm", "optuna", "pyarrow")


@dataclass(frozen=True)
class Run:
    """What a run made."""

    bundle: Bundle
    quality: Quality
    audit: LeakAudit
    competition: Competition
    parameters: dict[str, Any]

    @property
    def chosen(self) -> str:
        """Name of the chosen model."""
        return self.competition.chosen.name

    @property
    def refusal(self) -> str | None:
        """Say why this bundle must not be served; None if it may."""
        q = self.quality
        if not q.has_signal:
            return (
                f"no signal: on the newest leads the interval of AUC ({q.auc.interval.low:.2f} to "
                f"{q.auc.interval.high:.2f}) covers one half, or lies within three standard "
                "errors of it"
            )
        if q.losses.log_loss >= q.losses.log_loss_of_training_rate:
            return "on the newest leads its log loss is no better than the base rate's"
        return None

    @property
    def metrics(self) -> dict[str, float]:
        """Name the figures of the newest slice for the record."""
        q = self.quality
        return {
            "auc": q.auc.value,
            "auc_low": q.auc.interval.low,
            "auc_high": q.auc.interval.high,
            "average_precision": q.average_precision,
            "log_loss": q.losses.log_loss,
            "log_loss_base_rate": q.losses.log_loss_of_training_rate,
            "brier": q.losses.brier,
            "ece": q.calibration_error.value,
            "calibration_slope": q.line.slope,
            "lift_at_10": q.lift_at_10,
            "base_rate": q.base_rate,
        }


def fingerprint_history(folder: Path) -> str:
    """Hash the files of a history, in order of name."""
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix == ".parquet" or path.name == "history.json"
    }
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()


def audit_dataset(dataset: Dataset, allow: Mapping[str, str]) -> LeakAudit:
    """Audit the fit slice's features for leaks, with the newest slice beside it."""
    fit, newest = dataset.split.fit, dataset.split.newest
    columns = build_audit_columns(
        dataset.catalog.features,
        dataset.rows[fit],
        undated_fields=find_undated(dataset.catalog),
        later=dataset.rows[newest],
    )
    seen = dataset.moments.take(fit)
    moves = read_moves(seen.history, seen.outcome.target)
    reached = moves.seen_at(seen.lead_of, seen.snapshots.as_of).next_at < NEVER
    return audit(
        columns,
        seen.converted,
        lead_index=seen.lead_of,
        allow=allow,
        came_later=reached.astype(np.int8),
    )


def train(
    history: History,
    options: RunOptions,
    bundles: Path,
    *,
    data_fingerprint: str,
    engine: Engine = IN_PROCESS,
    progress: Progress = lambda _station, _share: None,
) -> Run:
    """Run every station and leave a sealed bundle in ``bundles/<name>-<version>``.

    Raises
    ------
    TrainingError
        If the history is too short or too small.
    LeakFoundError
        If the audit finds a leak that is not allowed by name.
    """
    return train_side_by_side(
        history,
        [options],
        bundles,
        data_fingerprint=data_fingerprint,
        engine=engine,
        progress=progress,
    )[0]


def train_side_by_side(
    history: History,
    several: Sequence[RunOptions],
    bundles: Path,
    *,
    data_fingerprint: str,
    engine: Engine = IN_PROCESS,
    progress: Progress = lambda _station, _share: None,
) -> list[Run]:
    """Train a model for each outcome on the same snapshots, whose features are computed once.

    Parameters
    ----------
    several
        Differ in outcome and name only.

    Raises
    ------
    TrainingError, LeakFoundError
        As `train`; nothing is written then for this and the following outcomes.
    """
    progress("looking at leads", 0.0)
    seen = [build_moments(history, own.outcome, own.grid, seed=own.seed) for own in several]
    wanted = [(moments, moments.split()) for moments in seen]
    for moments, split in wanted:
        check_slices(split, moments.converted)
    datasets = build_datasets(
        wanted,
        drop=several[0].drop | {one.field for one in _protected(history, several[0])},
        vocabulary_us=several[0].vocabulary_us,
        families=several[0].families,
        engine=engine,
        progress=lambda share: progress("computing features", share),
    )
    runs = []
    for dataset, options in zip(datasets, several, strict=True):
        report_progress = _naming(progress, options, alone=len(several) == 1)
        runs.append(
            _train_on(dataset, options, bundles, data_fingerprint, engine, report_progress)
        )
    return runs


def _protected(history: History, options: RunOptions) -> tuple[ProtectedField, ...]:
    return list_left_out(history, options.drop, options.protected, options.allow_protected)


def _naming(progress: Progress, options: RunOptions, *, alone: bool) -> Progress:
    if alone:
        return progress
    return lambda station, share: progress(f"{options.outcome.words}: {station}", share)


def _train_on(
    dataset: Dataset,
    options: RunOptions,
    bundles: Path,
    data_fingerprint: str,
    engine: Engine,
    progress: Progress,
) -> Run:
    """Audit, choose, judge, write."""
    # Refused now rather than after all the fitting.
    read_rules(options.segments, dataset.catalog)
    engine = _with_points(engine, options.points, dataset.catalog)
    engine = with_installed(engine, options.estimators)
    try_out(dataset, engine, options.seed)
    dataset = keep_accounts_if_they_help(dataset, options.seed, progress, engine)
    progress("leak audit", 0.0)
    leaks = audit_dataset(dataset, options.allow_leaks)
    progress("leak audit", 1.0)
    leaks.check()
    competition = compete(dataset, options.seed, progress, engine, budget=options.budget)
    competition, segments = fit_segments(
        dataset, options.segments, competition, options.seed, progress
    )
    progress("judging on the newest slice", 0.0)
    chosen = competition.chosen
    scale = Scale(chosen.calibration.slope, chosen.calibration.intercept, chosen.model.bias)
    quality = evaluate(dataset, chosen, scale, options.seed)
    leaks = leaks.judge_auc(quality.auc.value)
    if quality.auc.value > TOO_GOOD:
        searched = search_leak(dataset, leaks, options.seed, progress)
        leaks = leaks.with_searched(searched, options.allow_leaks)
        leaks.check()
    amount, value = _value(dataset, competition, options.seed)
    profile = sample_profile(dataset, chosen, scale)
    timing = _time(dataset, options, engine, progress)
    model_reasons = None
    if options.explain:
        model_reasons = explain(dataset, competition, scale, profile, options.seed, progress)
    outcome = options.outcome
    contract = Contract(outcome.target.text, outcome.horizon_days, outcome.words)
    brought = list_brought(dataset, competition)
    provenance = {
        **_provenance(dataset, competition, data_fingerprint),
        **options.record(
            competition.tuned.trials,
            dataset.vocabulary_us,
            tuple(brought.estimators),
            tuple(brought.families),
        ),
    }
    draft = make_draft(bundles)
    fingerprint = write_bundle(
        draft,
        name=options.name,
        contract=contract,
        catalog=dataset.catalog,
        model=chosen.model,
        model_kind=chosen.name,
        scale=scale,
        bands=measured_bands(quality),
        support=build_support(dataset.catalog, dataset.rows[dataset.split.fit]),
        profile=profile,
        provenance=provenance,
        amount=amount,
        timing=None if timing is None else timing.served,
    )
    facts = gather_facts(dataset, contract, competition, data_fingerprint)
    card = build_card(facts, quality, leaks.describe())
    card["availability"] = [
        {"field": row.field, "known": row.words}
        for row in list_availability(dataset.moments.history, options.drop)
    ]
    card["limits"] += [one.words for one in _protected(dataset.moments.history, options)]
    card["limits"] += [
        f"Learned from although protected: {name} ({reason})."
        for name, reason in options.allow_protected.items()
    ]
    card["brought"] = asdict(brought)
    card["limits"] += brought.sentences
    exposure = measure_exposure(
        dataset, chosen, scale, engine, np.random.default_rng(options.seed)
    )
    card["exposure"] = asdict(exposure)
    card["limits"].append(exposure.words)
    groups = compare_groups(dataset, chosen, scale, options)
    card["groups"] = [asdict(row) for row in groups]
    card["warnings"] += [row.words for row in groups if row.stands_out]
    card["segment_models"] = [asdict(verdict) for verdict in segments]
    card["value"] = value and asdict(value)
    if timing is not None:
        card["timing"] = timing.describe()
        card["warnings"] += timing.warnings
        card["pictures"] += write_timing(draft, timing, profile.matrix)
    card["model"] = {"name": options.name, "version": fingerprint[:12], "kind": chosen.name}
    folder = _finish(
        draft, bundles / f"{options.name}-{fingerprint[:12]}", card, quality, model_reasons
    )
    progress("judging on the newest slice", 1.0)
    parameters = {
        "history": dataset.moments.history.about.source,
        **provenance,
        "chosen": chosen.name,
        "split": dataset.split.words,
    }
    return Run(load_bundle(folder), quality, leaks, competition, parameters)


def _time(
    dataset: Dataset, options: RunOptions, engine: Engine, progress: Progress
) -> TimingRun | None:
    """Learn the best moment, where it is asked for."""
    if options.timing is None:
        return None
    return learn_timing(
        dataset.moments.history,
        dataset.catalog,
        options.timing,
        points=options.points,
        engine=engine,
        seed=options.seed,
        progress=progress,
    )


def _with_points(engine: Engine, text: str, catalog: Catalog) -> Engine:
    """Let a team's own points table compete in place of the usual one."""
    if not text:
        return engine
    table = read_points(text)
    table.check(catalog)
    given = engine.candidates[POINTS].with_params(table=table)
    return replace(engine, candidates={**engine.candidates, POINTS: given})


def compare_groups(
    dataset: Dataset, chosen: FittedCandidate, scale: Scale, options: RunOptions
) -> tuple[GroupRow, ...]:
    """Compare how often groups are chosen on the newest slice; none if none were supplied."""
    if options.groups is None:
        return ()
    newest = dataset.split.newest
    leads = list(lead_index(dataset.moments.history.leads))
    ids = [leads[lead] for lead in dataset.lead_of[newest]]
    rows: list[GroupRow] = []
    for grouping in options.groups.groupings:
        names, codes = options.groups.find(grouping, ids)
        rows += measure_selection(
            grouping,
            names,
            codes,
            points_of(scale, chosen.margins[newest]),
            chosen.probabilities[newest],
            dataset.converted[newest],
            dataset.lead_of[newest],
            np.random.default_rng(options.seed),
        )
    return tuple(rows)


def _value(
    dataset: Dataset, competition: Competition, seed: int
) -> tuple[AmountModel | None, ValueFacts | None]:
    """Fit what a conversion brings, where amounts are known, and measure the value promised."""
    amounts = find_amounts(dataset.moments)
    model = fit_amount(dataset, amounts, seed)
    if model is None:
        return None, None
    rng = np.random.default_rng(seed)
    return model, measure_value(dataset, competition.chosen, model, amounts, rng)


def _provenance(
    dataset: Dataset, competition: Competition, data_fingerprint: str
) -> dict[str, str]:
    return {
        "data_fingerprint": data_fingerprint,
        "seen_until": dataset.split.newest_from.isoformat(),
        "model_settings": json.dumps(competition.chosen.settings, sort_keys=True),
        **{f"package_{name}": importlib.metadata.version(name) for name in PACKAGES},
    }


def _finish(
    draft: Path,
    folder: Path,
    card: dict[str, Any],
    quality: Quality,
    model_reasons: ModelReasons | None,
) -> Path:
    """Add card and pictures, seal, and move into place."""
    if model_reasons is not None:
        card["explanations"] = to_plain(model_reasons.explanation.describe())
        card["stability"] = to_plain(model_reasons.stability.describe())
        card["pictures"] = [*card["pictures"], *write_model_reasons(draft, model_reasons)]
    (draft / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (draft / "card.md").write_text(render_card(card), encoding="utf-8")
    seal_bundle(draft)
    write_pictures(draft, load_bundle(draft), quality)
    seal_bundle(draft)
    return place_draft(draft, folder)
