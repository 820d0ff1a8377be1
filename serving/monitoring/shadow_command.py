"""``baton shadow``: what the challenger would have said beside what the champion did."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.scoring.request.shadow_scores import COLUMNS, read_shadow_scores
from serving.settings import ServingSettings
from serving.store.opening import open_store
from serving.store.session import UnitOfWork

if TYPE_CHECKING:
    import pyarrow as pa


def _build_schema() -> "pa.Schema":
    import pyarrow as pa

    text, number, moment = pa.string(), pa.float64(), pa.timestamp("us", tz="UTC")
    verdict = (number, number, text)
    types = (pa.int64(), text, text, moment, moment, *verdict, *verdict)
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def write_shadow_scores(work: UnitOfWork, path: Path) -> int:
    """Write what both models said of each lead as Parquet; give how many leads there were."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, n_rows = _build_schema(), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in read_shadow_scores(work):
            columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
            writer.write_table(pa.table(columns, schema=schema))
            n_rows += len(rows)
    return n_rows


def shadow_command(
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("shadow.parquet"),
) -> None:
    """Write what champion and challenger said of the same leads as a Parquet file, a row per lead."""
    with open_store(ServingSettings()) as store, store.work(read_only=True) as work:
        n_rows = write_shadow_scores(work, out)
    typer.echo(f"{n_rows:,} leads that both scored: {out}")
