"""The simplest of equals wins, and standard errors count leads."""

import numpy as np
import pytest

from training.evaluation.calibration import list_log_losses
from training.selection.competition import FoldRow, choose, compare


def test_standard_errors_are_of_the_paired_difference_and_count_leads():
    leads = np.array([0, 0, 1, 1, 2, 2])
    best = np.array([0.2, 0.2, 0.4, 0.4, 0.6, 0.6])
    other = best + np.array([0.1, 0.1, 0.0, 0.0, 0.2, 0.2])
    rows = {row.name: row for row in compare({"other": other, "best": best}, leads)}
    assert rows["best"].behind == 0.0
    assert rows["best"].standard_error == 0.0
    assert rows["other"].behind == pytest.approx(0.1)
    # Sums per lead of what differs from the mean difference: 0, -.2, .2; over six rows.
    assert rows["other"].standard_error == pytest.approx(np.sqrt(0.08) / 6)
    alone = {row.name: row for row in compare({"other": other, "best": best}, np.arange(6))}
    assert alone["other"].standard_error < rows["other"].standard_error


@pytest.mark.parametrize(
    ("behind", "error", "wins"),
    [(0.010, 0.011, "simple"), (0.010, 0.009, "rich"), (0.0, 0.0, "simple")],
)
def test_the_simplest_within_one_standard_error_wins(behind, error, wins):
    table = (FoldRow("simple", 0.5 + behind, behind, error), FoldRow("rich", 0.5, 0.0, 0.0))
    name, because = choose(table, "over 4 rolling folds")
    assert name == wins
    assert "over 4 rolling folds" in because


def test_losses_are_finite_where_a_chance_is_certain_and_wrong():
    found = list_log_losses(np.array([1, 0, 1], np.int8), np.array([0.0, 1.0, 0.5]))
    assert np.isfinite(found).all()
    assert found[2] == pytest.approx(np.log(2.0))
