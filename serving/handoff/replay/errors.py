"""What a replay refuses: each says what to do next."""

from serving.errors import ServingError


class ReplayError(ServingError):
    """A draft cannot be replayed on this history."""


class NothingToReplayError(ReplayError):
    """No lead was looked at in the period."""

    def __init__(self, history: str, begin: str, end: str, observed: str) -> None:
        self.history = history
        super().__init__(
            f"No open lead of {history} is looked at from {begin} until {end}. The history is "
            f"observed until {observed}: choose other days with --from and --to, or other moments "
            "with --snapshots-at."
        )


class EmptyPeriodError(ReplayError):
    """A period that ends before it begins."""

    def __init__(self, begin: str, end: str) -> None:
        super().__init__(
            f"The period ends ({end}) before it begins ({begin}). Swap --from and --to."
        )


class NotScoredError(ReplayError):
    """There is no model to score with."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} holds no bundle to score leads with. Train one with `baton train`, or name "
            "its folder with --bundle."
        )
