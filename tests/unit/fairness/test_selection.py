"""Selection rates by group, counted by hand; and files of groups."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.dataset.groups import read_groups
from training.errors import GroupsError
from training.evaluation.selection import measure_selection


def measure(group, points, names=("a", "b")):
    n = len(points)
    return measure_selection(
        "team",
        names,
        np.array(group),
        np.array(points, float),
        np.full(n, 0.25),
        (np.arange(n) % 4 == 0).astype(np.int8),
        np.arange(n),
        np.random.default_rng(1),
    )


def test_shares_and_ratios_by_hand():
    # 100 leads, 20 chosen: 15 of the 50 of a, 5 of the 50 of b
    group = np.repeat([0, 1], 50)
    points = np.zeros(100)
    points[:15] = 10
    points[50:55] = 10
    a, b = measure(group, points)
    assert (a.group, a.chosen, a.ratio) == ("a", 0.3, 1.0)
    assert (b.group, b.chosen) == ("b", 0.1)
    assert b.ratio == pytest.approx(1 / 3)
    assert b.ratio_low < 1 / 3 < b.ratio_high < 1.0
    assert b.stands_out
    assert not a.stands_out
    assert (a.leads, a.rows, a.predicted) == (50, 50, 0.25)
    assert "under four fifths" in b.words


def test_like_groups_do_not_stand_out_and_small_ones_are_not_shown():
    rng = np.random.default_rng(3)
    group = np.where(np.arange(600) < 20, 1, np.where(np.arange(600) < 300, 0, -1))
    rows = measure(group, rng.random(600))
    assert {row.group for row in rows} == {"a", "(unknown)"}
    assert not any(row.stands_out for row in rows)
    assert measure(np.zeros(600, int), rng.random(600)) == ()


def test_a_file_of_groups_is_read_and_leads_without_one_are_unknown(tmp_path):
    (tmp_path / "g.csv").write_text("lead_id,gender\nL1,f\nL2,m\nL3,\n")
    groups = read_groups(tmp_path / "g.csv")
    names, codes = groups.find("gender", ["L2", "L1", "L9", "L3", "L1"])
    assert names == ("f", "m")
    assert codes.tolist() == [1, 0, -1, -1, 0]
    pq.write_table(pa.table({"lead_id": ["L1"], "office": [3]}), tmp_path / "g.parquet")
    assert read_groups(tmp_path / "g.parquet").groupings == ("office",)


@pytest.mark.parametrize("text", ["id,gender\n1,f\n", "lead_id\nL1\n"])
def test_a_file_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "g.csv").write_text(text)
    with pytest.raises(GroupsError, match="the columns lead_id and"):
        read_groups(tmp_path / "g.csv")
    with pytest.raises(GroupsError, match="cannot be read"):
        read_groups(tmp_path / "nowhere.csv")
