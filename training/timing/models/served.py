"""The best moment as a bundle carries it: the model, the rule that is served, and its support."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from training.timing.models.model import LEVEL, Rows, TimingModel, read_timing_model
from training.timing.models.support import Neighbours

FEWEST_ALIKE = 10
"""Fewer handoffs like this one are no support: nothing is said then."""

BY_TIMING, BY_THRESHOLD = "timing", "threshold"

RULE_FILE, RANKS_FILE = "rule.json", "ranks.npy"


@dataclass(frozen=True)
class ServedTiming:
    """A model of the best moment, and whether it or the threshold decides."""

    model: TimingModel
    rule: str
    """``timing`` or ``threshold``."""
    because: str
    unit: str
    """Of all values, in words."""
    neighbours: Neighbours

    fewest_alike: ClassVar[int] = FEWEST_ALIKE
    level: ClassVar[float] = LEVEL
    """Of the interval of the advantage."""

    @property
    def decides_by_timing(self) -> bool:
        """Whether the moment is chosen, rather than a threshold reached."""
        return self.rule == BY_TIMING

    def warm(self, rows: Rows) -> None:
        """Ask everything once, so that the first lead does not wait for compilation."""
        self.model.advise(rows)
        self.model.reasons(rows)
        self.model.curve(rows)
        self.neighbours.count_alike(rows)

    def files(self) -> dict[str, bytes]:
        """Shape everything as files by name: LightGBM's text, JSON and one plain array."""
        ranks = io.BytesIO()
        np.save(ranks, self.neighbours.ranks, allow_pickle=False)
        rule = {
            "rule": self.rule,
            "because": self.because,
            "unit": self.unit,
            "neighbours": self.neighbours.to_json(),
        }
        texts = {**self.model.texts(), RULE_FILE: json.dumps(rule, indent=1)}
        encoded = {name: text.encode("utf-8") for name, text in texts.items()}
        return {**encoded, RANKS_FILE: ranks.getvalue()}


def read_served(files: Mapping[str, bytes]) -> ServedTiming:
    """Read it back from its files."""
    entry = json.loads(files[RULE_FILE])
    ranks = np.load(io.BytesIO(files[RANKS_FILE]), allow_pickle=False)
    texts = {
        name: held.decode("utf-8")
        for name, held in files.items()
        if name not in {RULE_FILE, RANKS_FILE}
    }
    return ServedTiming(
        model=read_timing_model(texts),
        rule=entry["rule"],
        because=entry["because"],
        unit=entry["unit"],
        neighbours=Neighbours.from_json(entry["neighbours"], ranks),
    )
