"""Refusals of the intake."""

from serving.errors import RefusedError


class NoSuchItemError(RefusedError):
    """No item of that number waits in the quarantine."""

    status, slug, title = 404, "no-such-item", "No such item in the quarantine"
    fix = "GET /v1/quarantine lists the items that wait."

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


class NoSuchLeadError(RefusedError):
    """No lead of that id is known."""

    status, slug, title = 404, "no-such-lead", "No such lead"
    fix = "Send the lead first, with PUT /v1/leads/{lead_id}, or check the id."

    def __init__(self) -> None:
        super().__init__("A lead that was named is not known here.")


class LeadErasedError(RefusedError):
    """The lead was erased, and does not come back."""

    status, slug, title = 410, "lead-erased", "Lead erased"
    fix = "Leave this lead out: records sent for it are dropped."

    def __init__(self) -> None:
        super().__init__("A lead that was named was erased at the person's wish.")


class SameLeadError(RefusedError):
    """A lead was to be merged with itself."""

    status, slug, title = 422, "same-lead", "One lead named twice"
    fix = "Name the lead to keep in the address, and the other one in the body."

    def __init__(self) -> None:
        super().__init__("A lead cannot be merged with itself.")


class OneAlreadyError(RefusedError):
    """Two leads that are one by now."""

    status, slug, title = 409, "merged-already", "Already merged"
    fix = "Nothing is left to do; GET /v1/leads/{lead_id}/merges shows since when."

    def __init__(self) -> None:
        super().__init__("The two leads are already one.")


class MergedElsewhereError(RefusedError):
    """A lead that is part of a third one."""

    status, slug, title = 409, "merged-elsewhere", "Part of another lead"
    fix = "Merge the lead it is part of, or undo that merge first: GET /v1/leads/{lead_id}/merges."

    def __init__(self) -> None:
        super().__init__(
            "One of the two is part of a third lead, which would be merged without being named."
        )


class UndoneBeforeError(RefusedError):
    """Two leads that somebody parted."""

    status, slug, title = 409, "parted-before", "Separated before"
    fix = "If they are one after all, merge them by hand: POST /v1/leads/{lead_id}/merge."

    def __init__(self) -> None:
        super().__init__("The two were one before, and somebody separated them.")


class BothKnownError(RefusedError):
    """Two leads that were each sent as such."""

    status, slug, title = 409, "both-known", "Both are leads of their own"
    fix = (
        "If they are one person, merge them by hand: POST /v1/leads/{lead_id}/merge with "
        '"although_both_known": true.'
    )

    def __init__(self) -> None:
        super().__init__("Each of the two was sent as a lead of its own.")


class TooManyIdentityKeysError(RefusedError):
    """A person who would be known under more keys than anybody is."""

    status, slug, title = 409, "too-many-identity-keys", "Too many identity keys of one person"
    fix = (
        "Check whether one user id stands for many people, such as a shared sign-in. If it is one person, "
        "merge by hand: POST /v1/leads/{lead_id}/merge; or raise BATON_MAX_IDENTITY_KEYS."
    )

    def __init__(self) -> None:
        super().__init__(
            "The person would be known under more anonymous ids, user ids and e-mail addresses than "
            "BATON_MAX_IDENTITY_KEYS allows."
        )


class OnlyClaimedError(RefusedError):
    """A user that a tracker says is a lead of the CRM."""

    status, slug, title = 409, "only-claimed", "Only a tracker says so"
    fix = (
        "If they are one person, merge them by hand: POST /v1/leads/{lead_id}/merge; or send the lead with "
        "the e-mail address that the user gave."
    )

    def __init__(self) -> None:
        super().__init__(
            "A tracker asks to make the history of another user part of a lead that was sent as such."
        )


class NoSuchMergeError(RefusedError):
    """No merge of that number."""

    status, slug, title = 404, "no-such-merge", "No such merge"
    fix = "GET /v1/leads/{lead_id}/merges lists them."

    def __init__(self, merge_id: int) -> None:
        self.merge_id = merge_id
        super().__init__(f"There is no merge {merge_id}.")


class MergeUndoneError(RefusedError):
    """A merge that was undone before."""

    status, slug, title = 409, "merge-undone", "Already undone"
    fix = "Nothing is left to do; GET /v1/leads/{lead_id}/merges shows since when."

    def __init__(self, merge_id: int) -> None:
        self.merge_id = merge_id
        super().__init__(f"Merge {merge_id} was undone before.")
