"""Refusals of the intake."""

from serving.errors import RefusedError


class NoSuchItemError(RefusedError):
    """No item of that number waits in the quarantine."""

    status, slug, title = 404, "no-such-item", "No such item in the quarantine"
    fix = "GET /v1/quarantine lists those that wait."

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"Item {number} does not wait in the quarantine.")


class TooManyItemsError(RefusedError):
    """More items than one batch may bring."""

    status, slug, title = 413, "batch-too-large", "Batch too large"

    def __init__(self, found: int, most: int) -> None:
        self.found = found
        self.most = most
        self.fix = f"Split the batch into parts of at most {most:,} items."
        super().__init__(f"The batch has {found:,} items; at most {most:,} are allowed.")
