"""The bundle behind BentoML, as its users would put it there: rows of features in, scores out, no reasons."""

import os
from pathlib import Path

import bentoml
import numpy as np

from training.bundle import load_bundle


@bentoml.service(workers=1)
class Scorer:
    """Scores rows of features."""

    def __init__(self) -> None:
        self.bundle = load_bundle(Path(os.environ["BENCH_BUNDLE"]))

    @bentoml.api
    def score(self, rows: list[list[float | None]]) -> dict[str, list[float]]:
        """Give probability and points of each row."""
        matrix = np.array(rows, dtype=np.float32)
        scores = self.bundle.score(matrix)
        return {"probability": scores.probability.tolist(), "points": scores.points.tolist()}
