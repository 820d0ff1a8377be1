"""The matrix on disk has the catalogue's names, types and categories."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog.fit import OTHER_CATEGORY, LeadAttribute
from features.catalog.manifest import build_catalog
from features.clock import DAY_US
from features.compute.errors import MatrixFolderTakenError
from features.compute.offline import Snapshots
from features.compute.output import (
    FINGERPRINT_KEY,
    GRID_KEY,
    MatrixFormat,
    build_schema,
    build_table,
    replaced_matrix,
    write_part,
)
from features.compute.part import Part
from features.taxonomy import default_taxonomy

MANY = tuple(f"value {n:03d}" for n in range(200))
CATALOG = build_catalog(
    default_taxonomy(),
    (
        LeadAttribute("industry", "category", ("bank", "software", OTHER_CATEGORY)),
        LeadAttribute("town", "category", (*MANY, OTHER_CATEGORY)),
        LeadAttribute("employees", "number"),
        LeadAttribute("agreed", "flag"),
    ),
)
COLUMN = {name: position for position, name in enumerate(CATALOG.names)}


@pytest.fixture
def part() -> Part:
    rows = np.full((3, len(CATALOG.features)), np.nan, np.float32)
    rows[:, COLUMN["industry"]] = [1, np.nan, 2]
    rows[:, COLUMN["town"]] = [199, 0, np.nan]
    rows[:, COLUMN["employees"]] = [10.5, 0, np.nan]
    rows[:, COLUMN["agreed"]] = [1, np.nan, 0]
    snapshots = Snapshots(np.array([0, 0, 1]), np.array([DAY_US, 2 * DAY_US, DAY_US + 1]))
    return Part(7, pa.array(["ann", "bob"]), snapshots, rows, 0)


@pytest.mark.parametrize("format_", MatrixFormat)
def test_what_is_written_is_read_back_with_types_and_categories(tmp_path, part, format_):
    assert write_part(part, CATALOG, "weekly", tmp_path, format_) == 3
    path = tmp_path / f"part-00007.{format_}"
    if format_ is MatrixFormat.PARQUET:
        table = pq.read_table(path)
    else:
        table = pa.ipc.open_file(path).read_all()
    assert table.schema.equals(build_schema(CATALOG, "weekly"), check_metadata=True)
    assert table.schema.metadata[FINGERPRINT_KEY].decode() == CATALOG.fingerprint
    assert table.schema.metadata[GRID_KEY] == b"weekly"
    frame = table.to_pandas()
    assert list(frame.columns) == ["lead_id", "as_of", *CATALOG.names]
    assert frame["lead_id"].tolist() == ["ann", "ann", "bob"]
    assert frame["as_of"].astype("int64").tolist() == part.snapshots.as_of.tolist()
    assert str(frame["as_of"].dtype) == "datetime64[us, UTC]"
    assert frame["employees"].dtype == np.float32
    np.testing.assert_array_equal(frame["employees"], part.rows[:, COLUMN["employees"]])
    for name in ("industry", "town", "agreed"):
        feature = CATALOG.features[COLUMN[name]]
        assert tuple(frame[name].cat.categories) == feature.categories
    assert frame["industry"].tolist()[::2] == ["software", OTHER_CATEGORY]
    assert frame["town"].tolist()[:2] == ["value 199", "value 000"]
    assert pd.isna(frame["agreed"]).tolist() == [False, True, False]


def test_what_is_not_known_is_an_empty_cell_not_a_nan(part):
    table = build_table([part], CATALOG, "weekly")
    assert table.column("employees").null_count == 1


def test_a_matrix_of_no_parts_has_all_columns():
    assert build_table([], CATALOG, "weekly").column_names == ["lead_id", "as_of", *CATALOG.names]


def test_a_folder_with_documents_is_not_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(MatrixFolderTakenError), replaced_matrix(tmp_path):
        pass
    assert (tmp_path / "notes.txt").read_text() == "mine"


def write_one(folder, *, fails):
    with replaced_matrix(folder) as matrix:
        (matrix.folder / "part-00000.parquet").write_text(f"{fails=}")
        if fails:
            raise RuntimeError


def test_a_failure_leaves_the_old_matrix(tmp_path):
    folder = tmp_path / "matrix"
    write_one(folder, fails=False)
    with pytest.raises(RuntimeError):
        write_one(folder, fails=True)
    assert (folder / "part-00000.parquet").read_text() == "fails=False"
    assert [path.name for path in tmp_path.iterdir()] == ["matrix"]
