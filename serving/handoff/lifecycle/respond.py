"""What a seller answers, and marketing supplies: accept, hand on, ask, supply, release."""

from serving.handoff.lifecycle.announce import announce
from serving.handoff.lifecycle.assign import seek_seller
from serving.handoff.lifecycle.context import Occasion
from serving.handoff.lifecycle.decide import rebuild_packet
from serving.handoff.lifecycle.errors import StillMissingError
from serving.handoff.lifecycle.record import lock_handoff, take
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.playbook.kept import read_cited
from serving.store.session import UnitOfWork
from serving.store.tables import Handoff


def accept(work: UnitOfWork, handoff_id: int, occasion: Occasion) -> Handoff:
    """Record that the seller took the lead; the clocks for contact and decision start."""
    row = lock_handoff(work, handoff_id)
    number = take(work, row, Signal.ACCEPT, occasion)
    announce(work, row, "handoff.accepted", f"accepted:{number}", occasion.at)
    return row


def hand_on(work: UnitOfWork, handoff_id: int, note: str | None, occasion: Occasion) -> Handoff:
    """Record that the seller cannot take the lead now, and find another."""
    row = lock_handoff(work, handoff_id)
    take(work, row, Signal.HAND_ON, occasion, note=note)
    seek_seller(work, row, occasion)
    return row


def ask(work: UnitOfWork, handoff_id: int, question: str, occasion: Occasion) -> Handoff:
    """Record what the seller asks marketing; sales' clock pauses until it is supplied."""
    row = lock_handoff(work, handoff_id)
    told = ("question",) if question.strip() else ()
    number = take(work, row, Signal.ASK, occasion, note=question, told=told)
    announce(work, row, "handoff.asked", f"asked:{number}", occasion.at)
    return row


def supply(work: UnitOfWork, handoff_id: int, note: str | None, occasion: Occasion) -> Handoff:
    """Record that marketing supplied what was missing or asked; the packet is built anew.

    Raises
    ------
    StillMissingError
        If the packet was held back, and still lacks what the playbook requires.
    """
    row = lock_handoff(work, handoff_id)
    packet = rebuild_packet(work, row, occasion, read_cited(work, row.playbook_version))
    if State(row.state) is State.HELD and packet.held:
        raise StillMissingError([one.field.value for one in packet.missing if one.holds])
    number = take(work, row, Signal.SUPPLY, occasion, note=note)
    announce(work, row, "handoff.supplied", f"supplied:{number}", occasion.at)
    if State(row.state) is State.QUEUED:
        seek_seller(work, row, occasion)
    return row


def release(work: UnitOfWork, handoff_id: int, note: str | None, occasion: Occasion) -> Handoff:
    """Let a packet that was held back go to sales as it is."""
    row = lock_handoff(work, handoff_id)
    take(work, row, Signal.RELEASE, occasion, note=note)
    seek_seller(work, row, occasion)
    return row
