"""When a version of the playbook holds: once both sides have agreed, and until the next one. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Side(StrEnum):
    """The two sides of the agreement."""

    MARKETING = "marketing"
    SALES = "sales"


class Word(StrEnum):
    """What a side says of a version."""

    AGREE = "agree"
    WITHDRAW = "withdraw"
    """Takes an agreement back, as long as the other side has not agreed."""


class VersionState(StrEnum):
    """Where a version stands."""

    PROPOSED = "proposed"
    """Not agreed by both sides."""
    IN_FORCE = "in_force"
    REPLACED = "replaced"
    """A later version took its place."""


@dataclass(frozen=True, slots=True)
class Version:
    """A playbook that was proposed. What it says never changes; another text is another version."""

    number: int
    """From 1, in the order of proposing."""
    fingerprint: str
    """Of what it says: `Playbook.fingerprint`."""
    proposed_by: str
    proposed_at: datetime


@dataclass(frozen=True, slots=True)
class Signature:
    """What somebody said of a version, for one side."""

    number: int
    """The version's."""
    side: Side
    word: Word
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """Where a version stood at a moment."""

    state: VersionState
    agreed: dict[Side, Signature]
    """Who had agreed for which side, and when."""
    from_at: datetime | None
    """Since when it was in force, if it ever was."""
    because: str


@dataclass(frozen=True, slots=True)
class SignatureDecision:
    """Whether a signature counts."""

    counts: bool
    because: str


def find_version_in_force(
    versions: Iterable[Version], signatures: Sequence[Signature], at: datetime
) -> Version | None:
    """Find the version that held at a moment; None while none was agreed by both sides.

    Then the playbook that ships with Baton is used, which nobody has agreed to.
    """
    found: tuple[datetime, int] | None = None
    holds = None
    for version in versions:
        from_at = _find_start(version, signatures, at)
        if from_at is not None and (found is None or (from_at, version.number) > found):
            found, holds = (from_at, version.number), version
    return holds


def standing_at(
    version: Version,
    versions: Iterable[Version],
    signatures: Sequence[Signature],
    at: datetime,
) -> VersionStatus:
    """Tell where a version stood at a moment, and why."""
    agreed = _list_agreed(version, signatures, at)
    from_at = _find_start(version, signatures, at)
    if from_at is None:
        missing = [side.value for side in Side if side not in agreed]
        because = f"Version {version.number} waits for {' and '.join(missing)} to agree."
        return VersionStatus(VersionState.PROPOSED, agreed, None, because)
    who = " and ".join(f"{agreed[side].by} for {side.value}" for side in Side)
    because = (
        f"Version {version.number} was agreed by {who}; it holds since {from_at:%Y-%m-%d %H:%M}."
    )
    holds = find_version_in_force(versions, signatures, at)
    if holds is None or holds.number == version.number:
        return VersionStatus(VersionState.IN_FORCE, agreed, from_at, because)
    because = f"Version {holds.number} took the place of version {version.number}."
    return VersionStatus(VersionState.REPLACED, agreed, from_at, because)


def decide_signature(
    signature: Signature,
    versions: Sequence[Version],
    signatures: Sequence[Signature],
    *,
    one_person_for_both: bool = False,
) -> SignatureDecision:
    """Decide whether what somebody says of a version counts.

    Parameters
    ----------
    signature
        What is said, at its moment.
    versions
        Every version proposed.
    signatures
        What was said before, and counted.
    one_person_for_both
        Of the version's own `[goals]`: whether one person may agree for both sides.
    """
    version = next((v for v in versions if v.number == signature.number), None)
    if version is None:
        return SignatureDecision(False, f"There is no version {signature.number}.")
    agreed = _list_agreed(version, signatures, signature.at)
    if signature.word is Word.WITHDRAW:
        return _decide_withdrawal(signature, agreed)
    holds = find_version_in_force(versions, signatures, signature.at)
    if holds is not None and holds.number > version.number:
        return SignatureDecision(
            False,
            f"Version {holds.number} is in force, which is later than version {version.number}. "
            "Propose the earlier text again to return to it.",
        )
    if refusal := _refuse_signer(signature, agreed, one_person_for_both=one_person_for_both):
        return SignatureDecision(False, refusal)
    return SignatureDecision(True, _describe_agreed(signature, agreed))


def _refuse_signer(
    signature: Signature, agreed: dict[Side, Signature], *, one_person_for_both: bool
) -> str | None:
    """Say why somebody may not agree for a side; None if they may."""
    side = signature.side.value
    if signature.side in agreed:
        return f"{agreed[signature.side].by} has agreed for {side} already."
    if one_person_for_both or all(other.by != signature.by for other in agreed.values()):
        return None
    return (
        f"{signature.by} has agreed for the other side. Somebody else must agree for {side}, or the "
        "playbook say one_person_for_both = true in [goals]."
    )


def _decide_withdrawal(signature: Signature, agreed: dict[Side, Signature]) -> SignatureDecision:
    side = signature.side.value
    if signature.side not in agreed:
        return SignatureDecision(False, f"There is no agreement of {side} to take back.")
    if len(agreed) == len(Side):
        return SignatureDecision(
            False,
            f"Both sides have agreed to version {signature.number}. Propose another version instead.",
        )
    return SignatureDecision(True, f"{signature.by} took the agreement of {side} back.")


def _describe_agreed(signature: Signature, agreed: dict[Side, Signature]) -> str:
    side, number = signature.side.value, signature.number
    start = f"{signature.by} agreed to version {number} for {side}"
    if agreed:
        return f"{start}: both sides have, so it holds from now on."
    other = next(other.value for other in Side if other is not signature.side)
    return f"{start}; it waits for {other}."


def _list_agreed(
    version: Version,
    signatures: Iterable[Signature],
    at: datetime,
) -> dict[Side, Signature]:
    """Replay what was said of a version up to a moment."""
    agreed: dict[Side, Signature] = {}
    for signature in sorted(signatures, key=lambda signed: signed.at):
        if signature.number != version.number or signature.at > at:
            continue
        if signature.word is Word.AGREE:
            agreed.setdefault(signature.side, signature)
        elif len(agreed) < len(Side):
            agreed.pop(signature.side, None)
    return agreed


def _find_start(
    version: Version, signatures: Iterable[Signature], at: datetime
) -> datetime | None:
    agreed = _list_agreed(version, signatures, at)
    return max(signed.at for signed in agreed.values()) if len(agreed) == len(Side) else None
