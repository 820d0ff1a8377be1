"""Rows of handoffs shaped into the answers of the API."""

from datetime import datetime

from serving.handoff.api.queries import list_assignments
from serving.handoff.api.schemas import (
    AssignmentOut,
    ClockOut,
    HandoffOut,
    ListedHandoff,
    MoveOut,
    SignatureOut,
    VersionOut,
)
from serving.handoff.lifecycle.clocks import (
    ATTEMPTED_AT,
    COUNTED_FROM,
    list_moves,
    read_clocks,
    read_pursuit,
)
from serving.handoff.machine.transitions import State, list_signals
from serving.handoff.playbook.agreement import VersionStatus
from serving.handoff.playbook.repository import read_cited, read_version
from serving.store.session import UnitOfWork
from serving.store.tables import Assignment, Handoff, HandoffMove, PlaybookVersion


def shape_handoff(work: UnitOfWork, row: Handoff, at: datetime) -> HandoffOut:
    """Shape a handoff with its clocks as of a moment, its moves and assignments."""
    agreed = read_cited(work, row.playbook_version)
    pursued = read_pursuit(work, row, at, agreed)
    clocks = [
        ClockOut(
            clock=read.run.clock.value,
            state=read.reading.state.value,
            started_at=read.run.started_at,
            stopped_at=read.run.stopped_at,
            due_at=read.reading.due_at,
            because=read.reading.because,
        )
        for read in read_clocks(work, row, at, agreed)
    ]
    moves = [_shape_move(one) for one in list_moves(work, row.handoff_id)]
    given = [_shape_assignment(one) for one in list_assignments(work, row.handoff_id)]
    return HandoffOut(
        **{name: getattr(row, name) for name in ListedHandoff.model_fields},
        reason_text=row.reason_text,
        definition=row.definition,
        possible=[signal.value for signal in list_signals(State(row.state))],
        clocks=clocks,
        pursuit=None if pursued is None else pursued[1].because,
        moves=moves,
        assignments=given,
    )


def _shape_move(row: HandoffMove) -> MoveOut:
    own = {name: getattr(row, name, None) for name in MoveOut.model_fields}
    times = {name: row.facts.get(name) for name in (ATTEMPTED_AT, COUNTED_FROM)}
    return MoveOut.model_validate({**own, **times})


def _shape_assignment(row: Assignment) -> AssignmentOut:
    fields = AssignmentOut.model_fields
    return AssignmentOut.model_validate({name: getattr(row, name) for name in fields})


def shape_version(row: PlaybookVersion, standing: VersionStatus) -> VersionOut:
    """Shape a version of the playbook, and where it stands."""
    return VersionOut(
        number=row.number,
        cited_as=read_version(row).version,
        state=standing.state.value,
        because=standing.because,
        created_at=row.created_at,
        created_by=row.created_by,
        note=row.note,
        in_effect_from=row.in_effect_from,
        agreed=[
            SignatureOut(side=side.value, by=signature.by, at=signature.at)
            for side, signature in standing.agreed.items()
        ],
    )
