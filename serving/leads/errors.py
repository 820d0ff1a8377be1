"""Refusals of the routes about leads."""

from serving.errors import FieldProblem, RefusedError


class LeadNotFoundError(RefusedError):
    """No such lead."""

    status, slug, title = 404, "lead-not-found", "No such lead"
    fix = "GET /v1/leads lists those there are; PUT /v1/leads/{id} or any event of it makes one."

    def __init__(self) -> None:
        super().__init__("There is no lead with this id: it never existed, or it was erased.")


class NotScoredYetError(RefusedError):
    """A lead without a score."""

    status, slug, title = 404, "not-scored-yet", "Not scored yet"
    fix = "Try again in a second, or POST to the same address to score it now."

    def __init__(self) -> None:
        super().__init__("The lead has no score of this contract yet.")


class MomentsOutOfOrderError(RefusedError):
    """A change that would run backwards."""

    status, slug, title = 422, "moments-out-of-order", "The times are not in order"
    fix = "Give a `from` before `to`."

    def __init__(self) -> None:
        self.errors = (FieldProblem("from", "does not lie before `to`", self.fix),)
        super().__init__("`from` does not lie before `to`.")


class UnknownKindError(RefusedError):
    """Kinds of events the model does not know."""

    status, slug, title = 422, "unknown-kind", "Kind of event not known"
    fix = "Use kinds of the taxonomy; leave `events` out to see them all."

    def __init__(self, positions: list[int]) -> None:
        self.errors = tuple(
            FieldProblem(f"events[{i}].kind", "is no kind the model knows", self.fix)
            for i in positions
        )
        super().__init__("The model does not know some of the kinds.")
