"""What a seller answers, and marketing supplies: accept, hand on, ask, supply, release."""

from serving.handoff.lifecycle.assign import seek_seller
from serving.handoff.lifecycle.context import ActionContext
from serving.handoff.lifecycle.decide import rebuild_packet
from serving.handoff.lifecycle.enqueue import enqueue_event
from serving.handoff.lifecycle.errors import StillMissingError
from serving.handoff.lifecycle.record import apply_transition, lock_handoff
from serving.handoff.machine.transitions import Signal, State
from serving.handoff.playbook.repository import read_cited
from serving.store.session import UnitOfWork
from serving.store.tables import Handoff


def accept(work: UnitOfWork, handoff_id: int, context: ActionContext) -> Handoff:
    """Record that the seller took the lead; the clocks for contact and decision start."""
    row = lock_handoff(work, handoff_id)
    number = apply_transition(work, row, Signal.ACCEPT, context)
    enqueue_event(work, row, "handoff.accepted", f"accepted:{number}", context.at)
    return row


def hand_on(
    work: UnitOfWork, handoff_id: int, note: str | None, context: ActionContext
) -> Handoff:
    """Record that the seller cannot take the lead now, and find another."""
    row = lock_handoff(work, handoff_id)
    apply_transition(work, row, Signal.HAND_ON, context, note=note)
    seek_seller(work, row, context)
    return row


def ask(work: UnitOfWork, handoff_id: int, question: str, context: ActionContext) -> Handoff:
    """Record what the seller asks marketing; sales' clock pauses until it is supplied."""
    row = lock_handoff(work, handoff_id)
    supplied = ("question",) if question.strip() else ()
    number = apply_transition(work, row, Signal.ASK, context, note=question, supplied=supplied)
    enqueue_event(work, row, "handoff.asked", f"asked:{number}", context.at)
    return row


def supply(work: UnitOfWork, handoff_id: int, note: str | None, context: ActionContext) -> Handoff:
    """Record that marketing supplied what was missing or asked; the packet is built anew.

    Raises
    ------
    StillMissingError
        If the packet was held back, and still lacks what the playbook requires.
    """
    row = lock_handoff(work, handoff_id)
    packet = rebuild_packet(work, row, context, read_cited(work, row.playbook_version))
    if State(row.state) is State.HELD and packet.held:
        raise StillMissingError([one.field.value for one in packet.missing if one.holds])
    number = apply_transition(work, row, Signal.SUPPLY, context, note=note)
    enqueue_event(work, row, "handoff.supplied", f"supplied:{number}", context.at)
    if State(row.state) is State.QUEUED:
        seek_seller(work, row, context)
    return row


def release(
    work: UnitOfWork, handoff_id: int, note: str | None, context: ActionContext
) -> Handoff:
    """Let a packet that was held back go to sales as it is."""
    row = lock_handoff(work, handoff_id)
    apply_transition(work, row, Signal.RELEASE, context, note=note)
    seek_seller(work, row, context)
    return row
