"""What a run is asked to do, and how that is recorded so that the run can be repeated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from features.lifecycle.targets import find_target
from training.bundle import MANIFEST
from training.dataset.groups import Groups
from training.errors import BundleError
from training.labels.conversion import Grid, Outcome
from training.run.timing import TimingOptions, recall_timing, record_timing
from training.selection.tuning import Budget


@dataclass(frozen=True)
class RunOptions:
    """What a run is asked to do. Together with the history's files it repeats the run exactly."""

    outcome: Outcome
    grid: Grid
    name: str
    seed: int = 7
    drop: frozenset[str] = frozenset()
    allow_leaks: Mapping[str, str] = field(default_factory=dict)
    """Attribute to the reason it may stay although the audit calls it a leak."""
    budget: Budget = field(default_factory=Budget)
    """For tuning LightGBM."""
    segments: tuple[str, ...] = ()
    """Filters of segments that may get a model of their own, see `segment_models.read_rules`."""
    explain: bool = True
    """Whether the card shows what the model as a whole relies on; the model is the same."""
    protected: tuple[str, ...] = ()
    """Attributes left out as protected or proxies whatever they are called."""
    allow_protected: Mapping[str, str] = field(default_factory=dict)
    """Protected attribute to the reason it may be learned from."""
    groups: Groups | None = None
    """Groups to compare selection rates of; the model is the same."""
    points: str = ""
    """The points table that competes, as TOML; empty for the one that ships with Baton."""
    timing: TimingOptions | None = None
    """Learn the best moment to hand off, with these prices; None: not."""
    vocabulary_us: int | None = None
    """Categories known before this moment have a code of their own, microseconds; None: before
    the earliest calibrate slice of the outcomes trained side by side."""

    estimators: tuple[str, ...] | None = None
    """Candidates of other packages that compete; None: all that are installed."""
    families: tuple[str, ...] | None = None
    """Feature families of other packages; None: all that are installed."""

    def record(
        self,
        trials: int,
        vocabulary_us: int,
        estimators: Sequence[str] = (),
        families: Sequence[str] = (),
    ) -> dict[str, str]:
        """Record everything a repeat needs, as text.

        Parameters
        ----------
        trials
            How many settings the search tried: a repeat tries as many, however long it takes.
        vocabulary_us
            Up to when categories were known: other outcomes of the run may have had a say.
        estimators, families
            What other packages have brought: a repeat needs the same.
        """
        return {
            "outcome": self.outcome.words,
            "grid": self.grid.words,
            "seed": str(self.seed),
            "inputs": json.dumps(
                {
                    "event": self.outcome.target.text,
                    "horizon_us": self.outcome.horizon_us,
                    "ages_us": self.grid.ages_us,
                    "grid": self.grid.words,
                    "name": self.name,
                    "seed": self.seed,
                    "drop": sorted(self.drop),
                    "allow_leaks": dict(sorted(self.allow_leaks.items())),
                    "trials": trials,
                    "segments": self.segments,
                    "points": self.points,
                    "protected": self.protected,
                    "allow_protected": dict(sorted(self.allow_protected.items())),
                    "vocabulary_us": vocabulary_us,
                    "timing": record_timing(self.timing),
                    "estimators": list(estimators),
                    "families": list(families),
                },
                sort_keys=True,
            ),
        }


def read_options(bundle: Path) -> tuple[RunOptions, str]:
    """Read from a bundle what its run was asked to do.

    Returns
    -------
    options : RunOptions
    data_fingerprint : str
        Of the history it learned from.

    Raises
    ------
    BundleError
        If it does not say.
    """
    try:
        manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
        provenance = manifest["provenance"]
        recorded = json.loads(provenance["inputs"])
        target = find_target(recorded["event"])
    except (OSError, KeyError, json.JSONDecodeError) as problem:
        raise BundleError(str(bundle), "does not say what its run was asked to do") from problem
    if target is None:
        raise BundleError(
            str(bundle), f"was made for an outcome unknown here, {recorded['event']!r}"
        )
    options = RunOptions(
        Outcome.of(target, recorded["horizon_us"]),
        Grid(tuple(recorded["ages_us"]), recorded["grid"]),
        recorded["name"],
        recorded["seed"],
        frozenset(recorded["drop"]),
        recorded["allow_leaks"],
        Budget(trials=recorded["trials"] or None),
        tuple(recorded["segments"]),
        protected=tuple(recorded.get("protected", ())),
        allow_protected=recorded.get("allow_protected", {}),
        points=recorded.get("points", ""),
        timing=recall_timing(recorded.get("timing")),
        vocabulary_us=recorded["vocabulary_us"],
        estimators=tuple(recorded.get("estimators", ())),
        families=tuple(recorded.get("families", ())),
    )
    return options, provenance["data_fingerprint"]
