"""``baton features compute``: a history in, a matrix of features on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer

from features.catalog.manifest import Catalog
from features.clock import DAY_US, to_us
from features.compute.errors import GridError
from features.compute.grids import (
    WEEK_US,
    AtEvents,
    AtHandoffs,
    Grid,
    Periodic,
    choose_moments,
    read_moments,
)
from features.compute.output import MatrixFormat
from features.compute.part import Job, list_leads
from features.compute.settings import choose_dask
from features.compute.stream import write_matrix
from features.compute.vocabulary import learn_catalog
from features.compute.written import Written
from features.errors import FeaturesError
from features.guide.choose import catalog_of_bundle
from features.sources.history.folder import HistoryFolder, open_history
from features.terminal.numbers import MOST_DAYS, check_finite
from features.terminal.progress import Advance, counting
from features.terminal.screen import Screen, refusals

DaskOption = Annotated[
    bool | None,
    typer.Option("--dask/--no-dask", help="Compute on Dask workers: here, or at BATON_DASK."),
]
SchedulerOption = Annotated[
    str | None, typer.Option(help="Compute on the Dask scheduler at this address.")
]


def choose_grid(text: str, days: float | None, folder: HistoryFolder) -> Grid:
    """Read ``--grid``: a word, or a file of moments.

    Raises
    ------
    GridError
        If it is neither, or the file cannot be used.
    """
    for_us = None if days is None else round(days * DAY_US)
    words: dict[str, Grid] = {
        "weekly": Periodic(WEEK_US, for_us),
        "daily": Periodic(DAY_US, for_us),
        "events": AtEvents(),
        "handoffs": AtHandoffs(),
    }
    if days is not None and text not in {"weekly", "daily"}:
        raise typer.BadParameter("--for goes with --grid weekly or daily only.")
    if text in words:
        return words[text]
    path = Path(text)
    if not path.is_file():
        raise GridError(
            text, f"there is no such file, and no grid of that name ({', '.join(words)})"
        )
    leads = [list_leads(folder.read_leads(n)) for n in range(folder.n_partitions)]
    return choose_moments(read_moments(path), leads, text)


def _choose_catalog(screen: Screen, folder: HistoryFolder, bundle: Path | None) -> Catalog:
    """Take the catalogue of a bundle, or learn one from all leads."""
    if bundle is not None:
        return catalog_of_bundle(bundle)
    with counting(screen, "reading the leads", folder.n_partitions) as show_progress:

        def leads() -> Iterator[pa.Table]:
            for position in range(folder.n_partitions):
                yield folder.read_leads(position)
                show_progress()

        return learn_catalog(folder.about.taxonomy, leads(), to_us(folder.about.observed_until))


def compute_command(
    history: Annotated[str, typer.Argument(help="Folder of an imported or simulated history.")],
    to: Annotated[Path, typer.Option(help="Folder for the matrix.")],
    grid: Annotated[
        str,
        typer.Option(help="weekly, daily, events, handoffs, or a file of lead_id and as_of."),
    ] = "weekly",
    days: Annotated[
        float | None,
        typer.Option(
            "--for",
            min=1.0,
            max=MOST_DAYS,
            callback=check_finite,
            help="Weekly, daily: up to so many days after creation.",
        ),
    ] = None,
    format_: Annotated[
        MatrixFormat, typer.Option("--format", help="How the files are written.")
    ] = MatrixFormat.PARQUET,
    bundle: Annotated[
        Path | None, typer.Option(help="Compute what this bundle's model reads.")
    ] = None,
    dask: DaskOption = None,
    scheduler: SchedulerOption = None,
) -> None:
    """Compute the features of every lead at many moments, and write them as Parquet or Arrow.

    Without a bundle the categories are learned from all leads of the history.
    """
    screen = Screen()
    with refusals(FeaturesError):
        folder = open_history(history)
        catalog = _choose_catalog(screen, folder, bundle)
        job = Job(_everywhere(history), catalog, choose_grid(grid, days, folder))
        where = choose_dask(dask, scheduler)
        with counting(screen, "computing features", folder.n_partitions) as show_progress:
            if where is None:
                done = write_matrix(job, to, format_, progress=show_progress)
            else:
                done = _write_on_dask(where, job, to, format_, show_progress)
    _print_summary(screen, job, to, done)


def _everywhere(history: str) -> str:
    """Name a history so that a worker that stands elsewhere finds it."""
    return history if "://" in history else str(Path(history).resolve())


def _write_on_dask(
    where: str, job: Job, to: Path, format_: MatrixFormat, show_progress: Advance
) -> list[Written]:
    from features.compute.dask_backend import connected, write_matrix_on_dask

    with connected(where) as client:
        return write_matrix_on_dask(client, job, to, format_, progress=show_progress)


def _print_summary(screen: Screen, job: Job, to: Path, done: list[Written]) -> None:
    rows, leads = sum(part.rows for part in done), sum(part.leads for part in done)
    screen.print(
        f"{rows:,} rows of {len(job.catalog.features)} features: {leads:,} leads, looked at "
        f"{job.grid.words}."
    )
    left_out = sum(part.left_out for part in done)
    if left_out:
        screen.print(
            f"{left_out:,} moments left out: not after their lead's creation, or after the end of "
            "what was observed."
        )
    screen.print(f"Matrix in {to}, a file per partition; pandas reads the folder as one table.")
    screen.print(f"Catalogue {job.catalog.fingerprint[:12]}.")
