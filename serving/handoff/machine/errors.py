"""What the handoff's rules refuse: each carries its facts and says what can be done instead."""

from serving.errors import RefusedError


class ImpossibleMoveError(RefusedError):
    """A signal that a handoff in its state does not take."""

    status, slug, title = 409, "impossible-move", "The handoff cannot do that now"

    def __init__(self, state: str, signal: str, possible: tuple[str, ...]) -> None:
        self.state = state
        self.signal = signal
        self.possible = possible
        self.fix = (
            f"Possible now: {', '.join(possible)}."
            if possible
            else "It is closed. Hand the lead over again once it is ready."
        )
        super().__init__(f"A handoff that is {state} cannot take the signal {signal}. {self.fix}")


class MissingFactError(RefusedError):
    """A move that must say something with it, and does not."""

    status, slug, title = 422, "missing-fact", "A required field is missing"

    def __init__(self, signal: str, missing: tuple[str, ...]) -> None:
        self.signal = signal
        self.missing = missing
        self.fix = f"Send it again with {' and '.join(missing)}."
        super().__init__(f"The signal {signal} needs {' and '.join(missing)}.")


class NotPersistentEnoughError(RefusedError):
    """A lead given up before the attempts that were agreed."""

    status, slug, title = 409, "not-persistent-enough", "Too early to give the lead up"

    def __init__(self, because: str, fix: str) -> None:
        self.because = because
        self.fix = fix
        super().__init__(because)


class UnknownSellerError(RefusedError):
    """A seller whom the playbook does not have."""

    status, slug, title = 422, "unknown-seller", "There is no such seller"

    def __init__(self, seller: str, known: tuple[str, ...]) -> None:
        self.seller = seller
        self.known = known
        self.fix = f"Use one of: {', '.join(known)}; or add them to [[routing.sellers]]."
        super().__init__(f"The playbook in force has no seller {seller!r}.")
