"""Refusals of the training floor: each carries its facts and says what to do next."""

from collections.abc import Sequence


class TrainingError(Exception):
    """Root of what the training floor refuses."""


class TooLittleHistoryError(TrainingError):
    """There are too few matured outcomes to learn from."""

    def __init__(self, slice_name: str, rows: int, converted: int, needed: int) -> None:
        self.slice_name = slice_name
        self.rows = rows
        self.converted = converted
        self.needed = needed
        super().__init__(
            f"The {slice_name} slice has {rows} matured snapshots, {converted} of them converted "
            f"and {rows - converted} not; at least {needed} of each are needed. Give a longer "
            "history, a shorter --horizon, or an outcome that happens more often; until then "
            "`baton cold-start` scores by a points table."
        )


class TooFewHandoffsError(TrainingError):
    """There are too few handoffs with a known end to say what a handoff brings."""

    def __init__(self, resolved: int, sqls: int, fewest: int) -> None:
        self.resolved, self.sqls, self.fewest = resolved, sqls, fewest
        super().__init__(
            f"Of {resolved} handoffs that have come to an end {sqls} became an SQL. At least "
            f"{fewest} must have, and {fewest} not; the same goes for being accepted. Keep the "
            "rule that you have, and train again when more have matured."
        )


class TimingPricesError(TrainingError):
    """Prices of the best moment cannot be read, or make no sense."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"The prices for timing: {problem}. Give touch, work, sql, discount_by_day, "
            "promised_delay_days, unit and capacity as in docs/how-to/when-to-hand-off.md."
        )


class NoSnapshotsError(TrainingError):
    """No lead can be looked at and labelled."""

    def __init__(self, event: str, horizon_days: float) -> None:
        self.event = event
        super().__init__(
            f"No moment of any lead has a matured outcome for {event!r} within "
            f"{horizon_days:g} days. Check that the history reaches that far past the leads' "
            "creation, and that the stage occurs in stages.parquet."
        )


class UnknownSegmentError(TrainingError):
    """A segment names a field or a value that is not there."""

    def __init__(self, text: str, kind: str, name: str, known: tuple[str, ...]) -> None:
        self.text = text
        super().__init__(
            f"--segment {text!r}: there is no {kind} {name!r}. Known: {', '.join(known) or 'none'}."
        )


class PointsTableError(TrainingError):
    """A points table cannot be read, or asks what a history cannot answer."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(
            f"The points table: {problem}. Each [[rule]] names a feature and says at_least, is or "
            "unknown with points, or each with most; see docs/how-to/start-without-outcomes.md."
        )


class ColdStartError(TrainingError):
    """There is too little to say where a points table stands."""

    def __init__(self, conversions: int, needed: int) -> None:
        self.conversions = conversions
        self.needed = needed
        super().__init__(
            f"Only {conversions} conversions have matured, too few to take the base rate from "
            f"them ({needed} are needed, and as many that did not convert). Say what share of "
            "leads usually converts: --base-rate 5%."
            if needed
            else "No lead is open at the end of this history, so there is nobody to score."
        )


class ProtectedFieldError(TrainingError):
    """A field is allowed that need not be."""

    def __init__(self, name: str, protected: tuple[str, ...]) -> None:
        self.name = name
        super().__init__(
            f"--allow-protected {name}: this history has no protected field of that name. Left out "
            f"here: {', '.join(protected) or 'none'}."
        )


class GroupsError(TrainingError):
    """A file of groups cannot be used."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        super().__init__(
            f"--groups {path} {problem}. Give a CSV or Parquet file with the columns lead_id and "
            "one per grouping."
        )


class OutcomesDifferError(TrainingError):
    """Champion and challenger predict different things."""

    def __init__(self, champion: str, challenger: str) -> None:
        self.champion = champion
        self.challenger = challenger
        super().__init__(
            f"The champion predicts {champion}, the challenger {challenger}: their figures cannot "
            "be compared, and every band would mean something else. Train a challenger for the "
            "champion's outcome, or register the other under a name of its own (--name)."
        )


class SameModelError(TrainingError):
    """The challenger is the champion."""

    def __init__(self, name: str, version: str) -> None:
        self.version = version
        super().__init__(f"{name} {version} is already the champion; there is nothing to change.")


class NoSuchModelError(TrainingError):
    """The registry does not know a version that was asked for."""

    def __init__(self, name: str, wanted: str, advice: str) -> None:
        self.name = name
        self.wanted = wanted
        super().__init__(f"The registry has no {wanted} of {name!r}. {advice}")


class BundleError(TrainingError):
    """A bundle is missing, damaged, or of another format."""

    def __init__(self, folder: str, problem: str) -> None:
        self.folder = folder
        self.problem = problem
        super().__init__(f"The bundle in {folder} {problem}. Make a new one with `baton train`.")


class BundleFamilyError(BundleError):
    """A bundle needs a feature family that is not installed here, or computes otherwise here."""

    def __init__(self, folder: str, problem: str) -> None:
        self.folder = folder
        self.problem = problem
        TrainingError.__init__(self, f"The bundle in {folder} cannot be used here. {problem}")


class MissingOpenMPError(TrainingError):
    """LightGBM is installed but its OpenMP runtime is not on this machine."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"LightGBM cannot start ({problem}). Install the OpenMP runtime (Debian and Ubuntu: "
            "`apt install libgomp1`), or train through make, which lends the copy scikit-learn has."
        )


class UnsupportedTreeError(TrainingError):
    """A LightGBM model uses something the explanation kernel cannot add up."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"This LightGBM model {problem}. Train it without that option.")


class EstimatorRefusedError(TrainingError):
    """An estimator that was brought along cannot compete."""

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(
            f"The estimator {name!r} {problem}. See docs/how-to/bring-your-own-model.md; to train "
            "without it, uninstall its package."
        )


class EstimatorNotInstalledError(TrainingError):
    """A run is to be repeated without an estimator that competed in it."""

    def __init__(self, name: str, group: str) -> None:
        self.name = name
        super().__init__(
            f"The estimator {name!r} competed in the run that is to be repeated, and is not "
            f"installed here. Install the package that brings it (entry point {group})."
        )


class FrameColumnsError(TrainingError):
    """A frame of features has not all that the model reads."""

    def __init__(self, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(
            f"The frame has no column {', '.join(sorted(missing))}. A cell may be empty, but each feature "
            "needs its column: `baton features compute HISTORY --bundle BUNDLE --to FOLDER` writes "
            "them."
        )


class FrameTypeError(TrainingError):
    """A column of a frame does not hold what its feature is."""

    def __init__(self, column: str, found: str, wanted: str) -> None:
        self.column, self.found, self.wanted = column, found, wanted
        super().__init__(f"The column {column} holds {found}; the model reads {wanted} there.")
