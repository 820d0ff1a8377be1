"""Refusals of the evaluation room: what cannot be measured, and what to bring instead."""


class EvaluationError(Exception):
    """Root of what the evaluation room refuses."""


class EmptySliceError(EvaluationError):
    """There is not one row to measure."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        super().__init__(
            f"There are no rows to {purpose}. Widen the dates of this slice, shorten the "
            "horizon, or bring a longer history."
        )


class UnequalLengthError(EvaluationError):
    """Arrays that describe the same rows have different lengths."""

    def __init__(self, name: str, rows: int, expected: int) -> None:
        self.name = name
        self.rows = rows
        self.expected = expected
        super().__init__(
            f"{name} has {rows} rows where {expected} are expected. Cut every array with the "
            "same mask."
        )


class LabelError(EvaluationError):
    """A label is neither 0 nor 1."""

    def __init__(self, row: int, label: float) -> None:
        self.row = row
        self.label = label
        super().__init__(
            f"The label of row {row} is {label}, neither 0 nor 1. Leave rows whose outcome is "
            "not known yet out of the slice."
        )


class ProbabilityError(EvaluationError):
    """A probability is not a number in [0, 1]."""

    def __init__(self, row: int, probability: float) -> None:
        self.row = row
        self.probability = probability
        super().__init__(
            f"The probability of row {row} is {probability}, not a number in [0, 1]. Turn "
            "margins into probabilities before they are measured."
        )


class MarginError(EvaluationError):
    """A margin is missing or infinite."""

    def __init__(self, row: int, margin: float) -> None:
        self.row = row
        self.margin = margin
        super().__init__(
            f"The margin of row {row} is {margin}. A model must give finite log-odds for every "
            "row, missing values included."
        )
