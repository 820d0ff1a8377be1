"""``baton playbook replay``: a draft on recorded history, before anybody agrees to it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from features.clock import DAY_US, to_us
from features.compute.grids import Grid
from features.compute.part import Job
from features.errors import FeaturesError
from features.sources.history.folder import open_history
from features.terminal.numbers import check_finite
from features.terminal.progress import counting
from features.terminal.screen import Screen, refusals
from serving.errors import ServingError
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import read_playbook
from serving.handoff.replay.errors import EmptyPeriodError, NothingToReplayError, NotScoredError
from serving.handoff.replay.grid import Within, read_look
from serving.handoff.replay.judge import Period
from serving.handoff.replay.load import find_capacity
from serving.handoff.replay.picture import can_draw, draw_replay
from serving.handoff.replay.report import ReplayReport, build_replay
from serving.handoff.replay.snapshots import ReplayData, gather
from serving.handoff.replay.table import print_replay
from serving.settings import ServingSettings
from training.bundle import Bundle, load_bundle

LAST_WEEKS = 13
"""Weeks before the end of a history that are replayed if nobody says otherwise."""

JSON, PICTURE = "replay.json", "replay.png"


def replay_command(
    draft: Annotated[Path, typer.Argument(help="A playbook (TOML), agreed or not.")],
    history: Annotated[
        Path, typer.Option(help="Folder of an imported or simulated history.")
    ] = Path("var/simulated"),
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            help="First day, e.g. 2026-01-05; by default the first after the leads that the model "
            f"learned from, else {LAST_WEEKS} weeks before the end.",
        ),
    ] = "",
    end: Annotated[
        str, typer.Option("--to", help="Day after the last; by default the history's end.")
    ] = "",
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a bundle; by default the champion.")
    ] = None,
    snapshots_at: Annotated[
        str,
        typer.Option(
            help="At which moments leads are scored: daily, weekly, events, or ages: 24h,7d."
        ),
    ] = "daily",
    capacity: Annotated[
        float | None,
        typer.Option(
            help="Handoffs a week that sales can take; by default [routing].",
            min=0.0,
            callback=check_finite,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for replay.json and replay.png.")] = Path(
        "var/replay"
    ),
) -> None:
    """Simulate a draft on recorded history: handoffs, precision, recall, load, and the best cut.

    Nothing is changed, and nobody is handed over.
    """
    grid = read_look(snapshots_at)
    if grid is None:
        raise typer.BadParameter(
            f"{snapshots_at!r} is none of daily, weekly, events, and ages: 24h,7d."
        )
    first, last = read_day(begin), read_day(end)
    screen = Screen()
    try:
        text = draft.read_text(encoding="utf-8")
    except OSError as problem:
        raise typer.BadParameter(f"{draft} cannot be read: {problem.strerror}.") from problem
    with refusals(FeaturesError, ServingError):
        playbook = read_playbook(text, str(draft))
        report = replay(screen, playbook, history, grid, first, last, bundle, capacity)
    print_replay(screen, report)
    write_replay(screen, report, out)


def read_day(text: str) -> datetime | None:
    """Read a day, which begins at midnight UTC, or a moment with its zone; None if empty.

    >>> read_day("2026-03-02").isoformat()
    '2026-03-02T00:00:00+00:00'
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write e.g. 2026-03-02.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def replay(
    screen: Screen,
    playbook: Playbook,
    history: Path,
    grid: Grid,
    begin: datetime | None,
    end: datetime | None,
    bundle_folder: Path | None,
    capacity: float | None,
) -> ReplayReport:
    """Read the history, look at its leads, and judge the draft.

    Raises
    ------
    EmptyPeriodError
        If the period ends before it begins.
    NothingToReplayError
        If no open lead is looked at in it.
    """
    named = str(history.resolve())
    about = open_history(named).about
    bundle = _read_bundle(bundle_folder)
    unseen_from = find_unseen(bundle, about.source)
    last = min(end or about.observed_until, about.observed_until)
    first = begin or find_begin(unseen_from) or last - timedelta(weeks=LAST_WEEKS)
    if first >= last:
        raise EmptyPeriodError(f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}")
    period = Period(
        to_us(first),
        to_us(last),
        to_us(about.observed_until),
        playbook.goals.horizon_days * DAY_US,
    )
    job = Job(named, bundle.catalog, Within(grid, period.begin_us, period.end_us))
    with counting(screen, "looking at leads", job.folder.n_partitions) as show_progress:
        seen = gather(job, bundle, playbook, period.begin_us, period.end_us, show_progress)
    if not len(seen.snapshots):
        until = f"{about.observed_until:%Y-%m-%d}"
        raise NothingToReplayError(str(history), f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}", until)
    return build_replay(
        seen,
        playbook,
        period,
        capacity=find_capacity(playbook) if capacity is None else capacity,
        snapshots_at=grid.words,
        model=f"{bundle.name} {bundle.version}",
        notes=list_warnings(bundle, playbook, unseen_from, seen),
    )


def _read_bundle(folder: Path | None) -> Bundle:
    chosen = (folder or ServingSettings().champion).resolve()
    if not (chosen / "manifest.json").is_file():
        raise NotScoredError(str(folder or ServingSettings().champion))
    return load_bundle(chosen)


def find_unseen(bundle: Bundle, source: str) -> datetime | None:
    """Find a moment from which on no lead was created that the model learned from.

    None if it learned from another source's leads.
    """
    data = bundle.card.get("data", {})
    learned = [part["last"] for part in data.get("slices", ()) if part["name"] != "newest"]
    if data.get("source") != source or not learned:
        return None
    return max(datetime.fromisoformat(moment) for moment in learned)


def find_begin(unseen_from: datetime | None) -> datetime | None:
    """Find the first whole day from a moment on."""
    if unseen_from is None:
        return None
    return unseen_from.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def list_warnings(
    bundle: Bundle, playbook: Playbook, unseen_from: datetime | None, seen: ReplayData
) -> list[str]:
    """List what makes the figures look better, or other, than they are."""
    warnings = []
    if unseen_from is not None:
        leads = np.unique(seen.snapshots.lead)
        known = int((seen.created_us[leads] < to_us(unseen_from)).sum())
        if known:
            warnings.append(
                f"{known:,} of the {len(leads):,} leads were created before "
                f"{unseen_from:%Y-%m-%d %H:%M} UTC, and the model may have learned from them: that "
                "flatters it. Begin later, or name a model of before."
            )
    contract, goals = bundle.contract, playbook.goals
    if (contract.event, contract.horizon_days) != (goals.outcome, goals.horizon_days):
        warnings.append(
            f"The model predicts {contract.text}, the playbook's goal is {goals.outcome} within "
            f"{goals.horizon_days} days."
        )
    return warnings


def write_replay(screen: Screen, report: ReplayReport, out: Path) -> None:
    """Write the replay as JSON, and as a picture where that can be drawn."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.to_json(), indent=1)
    (out / JSON).write_text(text + "\n", encoding="utf-8")
    screen.print(f"Figures  {out / JSON}")
    if can_draw():
        draw_replay(report, out / PICTURE)
        screen.print(f"Picture  {out / PICTURE}")
    else:
        screen.print(
            "No picture: matplotlib is not installed (it comes with Baton's train group)."
        )
