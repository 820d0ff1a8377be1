"""Refusals of the simulation room."""

from features.errors import FeaturesError


class SimulationError(FeaturesError):
    """Root of what the simulation refuses."""


class UnknownScenarioError(SimulationError):
    """There is no made-up market of that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"There is no scenario {name!r}. Choose one of: {', '.join(known)}.")


class TooFewLeadsError(SimulationError):
    """A market needs at least one lead."""

    def __init__(self, n_leads: int) -> None:
        self.n_leads = n_leads
        super().__init__(f"A market of {n_leads} leads is none. Ask for 1 or more with --leads.")
