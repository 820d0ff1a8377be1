"""Refusals of the features floor: each carries its facts and says what to do next."""


class FeaturesError(Exception):
    """Root of what the features floor refuses."""


class ContractError(FeaturesError):
    """A table does not have the shape its record demands."""

    def __init__(self, record: str, problem: str) -> None:
        self.record = record
        self.problem = problem
        super().__init__(
            f"The {record} table {problem}. `baton import` writes tables of the right shape."
        )


class UnknownKindError(FeaturesError):
    """A catalogue or mapping names an event kind or group that the taxonomy lacks."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(
            f"There is no event kind or group called {name!r}. The taxonomy has: "
            f"{', '.join(known)}. Add it to the [taxonomy] section or correct the name."
        )


class TaxonomyError(FeaturesError):
    """The taxonomy section cannot be read."""


class HistoryNotFoundError(FeaturesError):
    """A folder does not hold an imported history."""

    def __init__(self, folder: str, missing: str) -> None:
        self.folder = folder
        self.missing = missing
        super().__init__(
            f"{folder} holds no {missing}. Make a history with `baton import` or `baton simulate`."
        )


class PackedHistoryError(FeaturesError):
    """A packed history is asked about a moment before part of it was known."""

    def __init__(self, as_of_us: int, known_until_us: int) -> None:
        self.as_of_us, self.known_until_us = as_of_us, known_until_us
        super().__init__(
            f"A packed history answers for moments after {known_until_us} (microseconds), when its "
            f"newest record became known; asked was {as_of_us}. Compute the row from the records."
        )
