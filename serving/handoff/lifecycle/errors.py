"""What the service of handoffs refuses; the rules' own refusals are in ``refusals``."""

from serving.errors import FieldProblem, RefusedError


class HandoffNotFoundError(RefusedError):
    """No such handoff."""

    status, slug, title = 404, "handoff-not-found", "No such handoff"
    fix = "GET /v1/handoffs lists those there are."

    def __init__(self, handoff_id: int) -> None:
        self.handoff_id = handoff_id
        super().__init__(f"There is no handoff {handoff_id}.")


class NotHandedOverError(RefusedError):
    """A lead somebody wanted handed over, which the agreed rules keep."""

    status, slug, title = 409, "not-handed-over", "The lead was not handed over"

    def __init__(self, because: str) -> None:
        self.because = because
        self.fix = "The decision says what keeps it; GET /v1/leads/{id}/decisions lists them all."
        super().__init__(because)


class NotYourHandoffError(RefusedError):
    """A seller who acts on what lies in another's hands."""

    status, slug, title = 403, "not-your-handoff", "The handoff is not yours"
    fix = "Ask whoever assigns to give it to you: POST /v1/handoffs/{id}/assign."

    def __init__(self, handoff_id: int) -> None:
        self.handoff_id = handoff_id
        super().__init__(f"Handoff {handoff_id} is assigned to another seller.")


class SellerNotFoundError(RefusedError):
    """Nobody of this id takes leads."""

    status, slug, title = 404, "seller-not-found", "No such seller"
    fix = "GET /v1/sellers lists those the playbook in effect names."

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(f"The playbook in effect names no seller {seller_id!r}.")


class AbsenceNotFoundError(RefusedError):
    """No such absence of the seller."""

    status, slug, title = 404, "absence-not-found", "No such absence"
    fix = "GET /v1/sellers lists the absences that are noted."

    def __init__(self, absence_id: int) -> None:
        self.absence_id = absence_id
        super().__init__(f"There is no absence {absence_id} of this seller.")


class ActorNotFoundError(RefusedError):
    """No such person or key could act for a seller."""

    status, slug, title = 404, "actor-not-found", "No such person or key"
    fix = "`baton people list` and `baton keys list` show the ids; send person:ID or key:ID."

    def __init__(self, actor: str) -> None:
        self.actor = actor
        super().__init__(f"There is no {actor}.")


class ActorTakenError(RefusedError):
    """Somebody who already asks in another seller's name."""

    status, slug, title = 409, "actor-taken", "Already acts for another seller"
    fix = "Take them off that seller first, or name somebody else."

    def __init__(self, seller_id: str) -> None:
        self.seller_id = seller_id
        super().__init__(f"They already act for the seller {seller_id!r}.")


class AttemptTimeError(RefusedError):
    """An attempt at a time at which it cannot have been made."""

    status, slug, title = 422, "attempt-time", "The attempt cannot have been made then"

    def __init__(self, problem: str, fix: str) -> None:
        self.fix = fix
        self.errors = (FieldProblem("at", problem, fix),)
        super().__init__(f"The time of the attempt {problem}.")


class NotQualifiedError(RefusedError):
    """A lead called SQL that does not meet what both teams mean by it."""

    status, slug, title = 409, "not-qualified", "Not a SQL by the agreed definition"

    def __init__(self, because: str) -> None:
        self.because = because
        self.fix = "Record what is missing under `answers`, or give the lead back with a reason."
        super().__init__(because)


class StillMissingError(RefusedError):
    """A packet said to be supplied, which still lacks what it is held back for."""

    status, slug, title = 409, "still-missing", "The packet still lacks something"

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        self.fix = (
            "Send it as attributes of the lead (PUT /v1/leads/{id}), then supply again; or release "
            "the packet as it is."
        )
        super().__init__(f"The packet still lacks {', '.join(missing)}.")
