"""What a deal is expected to bring if it comes: a linear model of its logarithm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.models.linear import LinearModel


@dataclass(frozen=True)
class AmountModel:
    """Expected amount of a lead that converts, in the unit of the history's amounts."""

    line: LinearModel
    """Of the natural logarithm; without terms it is one amount for everyone."""
    level: float
    """What the exponential is multiplied with: a mean is more than ``exp`` of a mean logarithm
    (Duan, JASA 78, 1983). Measured on later leads than the line was fitted on."""
    lowest: float
    highest: float
    """Amounts are kept within what was seen."""

    def expected(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the expected amount of each row.

        Parameters
        ----------
        rows : ndarray of shape (n_rows, n_features), float32
        """
        log_amount = self.line.bias + self.line.contributions(rows).sum(axis=1)
        amounts = self.level * np.exp(log_amount)
        return np.asarray(np.clip(amounts, self.lowest, self.highest), np.float64)

    def to_json(self) -> dict[str, Any]:
        """Shape the model for its file."""
        return {
            "line": self.line.to_json(),
            "level": self.level,
            "lowest": self.lowest,
            "highest": self.highest,
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> "AmountModel":
        """Read the model back from its file."""
        line = LinearModel.from_json(entry["line"])
        return AmountModel(line, entry["level"], entry["lowest"], entry["highest"])
