"""GET /v1/playbook and its versions: propose, check, compare, and agree for one's side."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Path as PathParameter

from serving.auth.guard import require
from serving.handoff.api.dependencies import InActionContext
from serving.handoff.api.schemas import (
    MOST_NUMBER,
    PlaybookChecked,
    PlaybookIn,
    PlaybookOut,
    Signed,
    VersionOut,
    Versions,
)
from serving.handoff.api.serialize import shape_version
from serving.handoff.playbook.agreement import Side, Word
from serving.handoff.playbook.diff import list_changes
from serving.handoff.playbook.playbook import Playbook
from serving.handoff.playbook.read import default_text, read_playbook
from serving.handoff.playbook.repository import (
    find_standing,
    find_standings,
    get_version,
    list_versions,
    propose,
    read_agreed,
    read_shipped,
    read_version,
    sign,
)
from serving.store.audit_log import note
from serving.store.dependencies import Reading, Work
from serving.store.session import UnitOfWork
from serving.web_api.dependencies import Now, check_json
from serving.web_api.openapi import describe_problems

router = APIRouter(prefix="/v1/playbook", tags=["playbook"])
READ, JSON = require("playbook:read"), Depends(check_json)
DRAFTS = require("playbook:draft")
REFUSED = describe_problems(401, 403, 404, 409, 415, 422, 503)
Number = Annotated[int, PathParameter(ge=1, le=MOST_NUMBER)]


@router.get(
    "",
    summary="The playbook in effect",
    dependencies=[READ],
    responses=describe_problems(401, 503),
)
def in_effect(work: Reading, now: Now) -> PlaybookOut:
    """Give the playbook both sides agreed to; the one that ships with Baton while there is none."""
    for row in list_versions(work):
        if row.state == "in_effect":
            shaped = shape_version(row, find_standing(work, row, now))
            return PlaybookOut(**shaped.model_dump(), body=row.body)
    return PlaybookOut(
        number=None,
        cited_as=read_shipped().version,
        state="shipped",
        because="No version is agreed by both sides: the playbook that ships with Baton is used.",
        created_at=None,
        created_by=None,
        note=None,
        in_effect_from=None,
        agreed=[],
        body=default_text(),
    )


@router.get(
    "/versions",
    summary="Every version proposed",
    dependencies=[READ],
    responses=describe_problems(401, 503),
)
def versions(work: Reading, now: Now) -> Versions:
    """List the versions, newest first, each with who agreed."""
    rows = list_versions(work)
    stands = find_standings(work, rows, now)
    return Versions(versions=[shape_version(row, stands[row.number]) for row in rows])


@router.get(
    "/versions/{number}",
    summary="A version and what it says",
    dependencies=[READ],
    responses=describe_problems(401, 404, 422, 503),
)
def version(work: Reading, now: Now, number: Number) -> PlaybookOut:
    """Give a version with its text."""
    row = get_version(work, number)
    shaped = shape_version(row, find_standing(work, row, now))
    return PlaybookOut(**shaped.model_dump(), body=row.body)


@router.get(
    "/versions/{number}/diff",
    summary="What a version would change",
    dependencies=[READ],
    responses=describe_problems(401, 404, 422, 503),
)
def diff(work: Reading, number: Number) -> PlaybookChecked:
    """Describe how a version differs from the one in effect."""
    return _compare(work, read_version(get_version(work, number)).playbook)


def _compare(work: UnitOfWork, new: Playbook) -> PlaybookChecked:
    changes = list_changes(read_agreed(work).playbook, new)
    return PlaybookChecked(fingerprint=new.fingerprint, changes=[c.sentence for c in changes])


@router.post(
    "/check",
    summary="Check a draft, and say what it would change",
    dependencies=[DRAFTS, JSON],
    responses=REFUSED,
)
def check(work: Reading, asked: PlaybookIn) -> PlaybookChecked:
    """Check a draft without storing it; every error names section, field and fix."""
    return _compare(work, read_playbook(asked.body))


@router.post(
    "/versions",
    status_code=201,
    summary="Propose a version",
    dependencies=[DRAFTS, JSON],
    responses=REFUSED,
)
def add_version(work: Work, context: InActionContext, asked: PlaybookIn) -> VersionOut:
    """Store a draft as a version, which takes effect once both sides have agreed to it."""
    row = propose(work, asked.body, by=context.by, at=context.at, note=asked.note)
    _note(work, "proposed", row.number, context)
    return shape_version(row, find_standing(work, row, context.at))


def _note(work: UnitOfWork, action: str, number: int, context: InActionContext) -> None:
    note(
        work,
        by=context.by,
        action=action,
        subject_kind="playbook",
        subject_id=str(number),
        at=context.at,
    )


def _record_signature(
    work: UnitOfWork, number: int, side: Side, word: Word, context: InActionContext
) -> Signed:
    decision = sign(work, number, side, word, by=context.by, at=context.at)
    _note(work, f"{word.value} for {side.value}", number, context)
    row = get_version(work, number)
    shaped = shape_version(row, find_standing(work, row, context.at))
    return Signed(because=decision.because, version=shaped)


SPEAKS = {
    Side.MARKETING: require("playbook:sign_for_marketing"),
    Side.SALES: require("playbook:sign_for_sales"),
}
_WORDS = (
    (Side.MARKETING, Word.AGREE, "Agree to a version; with both sides' word it takes effect."),
    (Side.SALES, Word.AGREE, "Agree to a version; with both sides' word it takes effect."),
    (Side.MARKETING, Word.WITHDRAW, "Take the word back, as long as sales has not agreed."),
    (Side.SALES, Word.WITHDRAW, "Take the word back, as long as marketing has not agreed."),
)


def _add_route(side: Side, word: Word, what: str) -> None:
    """Add the address at which a side says a word: who may speak for it is the address's to say."""

    def sign_version(work: Work, context: InActionContext, number: Number) -> Signed:
        return _record_signature(work, number, side, word, context)

    router.add_api_route(
        f"/versions/{{number}}/{word.value}/{side.value}",
        sign_version,
        methods=["POST"],
        name=f"{word.value}_for_{side.value}",
        summary=f"{word.value.capitalize()} for {side.value}",
        description=what,
        dependencies=[SPEAKS[side]],
        responses=REFUSED,
    )


for _spoken in _WORDS:
    _add_route(*_spoken)
