"""Refusals of the guide: a name that is not in the catalogue, with the nearest that are."""

from collections.abc import Iterable
from difflib import get_close_matches

from features.errors import FeaturesError

MOST_SUGGESTIONS = 5


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    names = list(known)
    folded = name.strip().casefold().replace("-", "_")
    close = get_close_matches(folded, names, MOST_SUGGESTIONS, cutoff=0.6)
    inside = [n for n in names if folded and folded in n and n not in close]
    return [*close, *inside][:MOST_SUGGESTIONS]


class UnknownFeatureError(FeaturesError):
    """The catalogue has no feature of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.nearest = _nearest(name, known)
        meant = f"Did you mean {', '.join(self.nearest)}? " if self.nearest else ""
        super().__init__(
            f"There is no feature {name!r}. {meant}`baton features list` shows them all; "
            "attributes of your leads are there with --history FOLDER."
        )


class UnknownFamilyError(FeaturesError):
    """The catalogue has no family of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"There is no family {name!r}. There are: {', '.join(self.known)}.")


class NoBundleError(FeaturesError):
    """A folder does not hold a bundle that can be read."""

    def __init__(self, folder: str, problem: str) -> None:
        self.folder = folder
        super().__init__(
            f"{folder} holds no bundle that can be read: {problem}. `baton train` writes bundles."
        )
