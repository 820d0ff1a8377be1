"""``baton score``: everyone in a history, scored at one moment."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from features.clock import to_us
from features.compute.commands import DaskOption, SchedulerOption
from features.compute.grids import AtMoment
from features.compute.part import Job
from features.compute.settings import choose_dask
from features.errors import FeaturesError
from features.sources.history.folder import open_history
from features.terminal.progress import counting
from features.terminal.screen import Screen, refusals
from training.errors import TrainingError
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.bundle import Bundle


def read_moment(text: str) -> datetime:
    """Read a moment with its zone.

    >>> read_moment("2026-03-02T09:00:00Z").isoformat()
    '2026-03-02T09:00:00+00:00'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - refused below
    if moment.tzinfo is None:
        raise typer.BadParameter(
            f"{text!r} is no moment with its zone; write e.g. 2026-03-02T09:00:00Z."
        )
    return moment


def score_command(
    history: Annotated[Path, typer.Argument(help="Folder of an imported or simulated history.")],
    to: Annotated[Path, typer.Option(help="Parquet file for the scores.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of a bundle; by default the champion.")
    ] = None,
    as_of: Annotated[
        str, typer.Option(help="Moment to look at, with its zone; by default the history's end.")
    ] = "",
    dask: DaskOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Score every lead of a history as of one moment, and write a Parquet file, a row per lead.

    Leads created at that moment or later are left out.
    """
    screen = Screen()
    with refusals(FeaturesError, TrainingError):
        _score(screen, history, to, bundle, as_of, choose_dask(dask, scheduler))


def _score(
    screen: Screen, history: Path, to: Path, folder: Path | None, as_of: str, where: str | None
) -> None:
    from training.bundle import load_bundle
    from training.scoring import score_parts, write_scores

    # Resolved: a champion link may be swapped meanwhile, and workers stand elsewhere.
    chosen = (folder or TrainingSettings().champion).resolve()
    bundle = load_bundle(chosen)
    job = _job(history, bundle, as_of)
    with counting(screen, "scoring", job.folder.n_partitions) as show_progress:
        if where is None:
            counts = write_scores(
                score_parts(job, str(chosen)), to, bundle, progress=show_progress
            )
        else:
            from features.compute.dask_backend import connected
            from training.dask_engine import score_parts_on

            with connected(where) as client:
                tables = score_parts_on(client, job, str(chosen))
                counts = write_scores(tables, to, bundle, progress=show_progress)
    _print_summary(screen, job, bundle, to, counts)


def _job(history: Path, bundle: "Bundle", as_of: str) -> Job:
    named = str(history.resolve())
    moment = read_moment(as_of) if as_of else None
    end = open_history(named).about.observed_until
    if moment is not None and moment > end:
        raise typer.BadParameter(f"the history ends at {end.isoformat()}; --as-of is after that.")
    return Job(named, bundle.catalog, AtMoment(to_us(moment or end)))


def _print_summary(
    screen: Screen, job: Job, bundle: "Bundle", to: Path, counts: dict[str, int]
) -> None:
    table = Table(title=f"P({bundle.contract.text}), {job.grid.words}")
    for heading in ("band", "leads"):
        table.add_column(heading, justify="left" if heading == "band" else "right")
    for name, count in counts.items():
        table.add_row(name or "not enough known", f"{count:,}")
    screen.print(table)
    screen.print(f"Model   {bundle.name} {bundle.version}")
    screen.print(f"Scores  {to}")
