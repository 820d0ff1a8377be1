"""Groups of people, told apart from the features: to check selection rates, never to learn from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from training.errors import GroupsError


@dataclass(frozen=True)
class Groups:
    """Groupings by lead."""

    table: pa.Table
    """``lead_id`` and one column of text per grouping."""

    @property
    def groupings(self) -> tuple[str, ...]:
        """Names of the groupings."""
        return tuple(name for name in self.table.column_names if name != "lead_id")

    def find(
        self, grouping: str, lead_ids: list[str]
    ) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Find the group of each lead.

        Returns
        -------
        names : tuple of str
        codes : ndarray of shape (len(lead_ids),), int64
            Position in ``names``; -1 where nothing is told.
        """
        groups_by_lead = dict(
            zip(
                self.table.column("lead_id").to_pylist(),
                self.table.column(grouping).to_pylist(),
                strict=True,
            )
        )
        names = tuple(sorted({name for name in groups_by_lead.values() if name is not None}))
        place = {name: position for position, name in enumerate(names)}
        codes = [place.get(groups_by_lead.get(lead), -1) for lead in lead_ids]
        return names, np.array(codes, np.int64)


def read_groups(path: Path) -> Groups:
    """Read a CSV or Parquet file with a column ``lead_id`` and one column per grouping.

    Raises
    ------
    GroupsError
        If it cannot be read, or has no ``lead_id`` or nothing beside it.
    """
    try:
        if path.suffix == ".parquet":
            table = pq.read_table(path)
        else:
            table = pyarrow.csv.read_csv(
                path, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True)
            )
    except (pa.ArrowException, OSError) as problem:
        raise GroupsError(str(path), f"cannot be read: {problem}") from problem
    if "lead_id" not in table.column_names or table.num_columns < 2:
        raise GroupsError(str(path), "has no column lead_id with a grouping beside it")
    return Groups(pa.table({name: table[name].cast(pa.string()) for name in table.column_names}))
