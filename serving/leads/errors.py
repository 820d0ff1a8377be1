"""Refusals of the routes about leads."""

from serving.errors import FieldProblem, RefusedError


class LeadNotFoundError(RefusedError):
    """No such lead."""

    status, slug, title = 404, "lead-not-found", "No such lead"
    fix = "GET /v1/leads lists those there are; PUT /v1/leads/{id} or any event of it makes one."

    def __init__(self) -> None:
        super().__init__("There is no lead of this id; it never was, or it was erased.")


class NotScoredYetError(RefusedError):
    """A lead without a score."""

    status, slug, title = 404, "not-scored-yet", "Not scored yet"
    fix = "Come again in a second, or POST to the same address to have it scored now."

    def __init__(self) -> None:
        super().__init__("No score of this contract was given of the lead yet.")


class MomentsOutOfOrderError(RefusedError):
    """A change that would run backwards."""

    status, slug, title = 422, "moments-out-of-order", "The moments are not in order"
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
