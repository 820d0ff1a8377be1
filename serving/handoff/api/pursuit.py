"""GET /v1/pursuit: how leads were pursued, and which attempts reached them; for both sides."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from serving.auth.guard import require
from serving.handoff.intervals import Rate
from serving.handoff.playbook.repository import read_agreed
from serving.handoff.playbook.sections.packet import Channel
from serving.handoff.pursuit.rules import count_results, mix_channels
from serving.handoff.scoreboard.period import choose_span
from serving.handoff.scoreboard.pursuit_queries import read_pursuits
from serving.leads.schemas import AsOf
from serving.store.dependencies import Reading
from serving.web_api.dependencies import Now
from serving.web_api.openapi import describe_problems

router = APIRouter(tags=["handoff"], dependencies=[require("scoreboard:read")])


class RateOut(BaseModel):
    """A share with its interval; both null where there are too few leads."""

    share: float | None
    low: float | None
    high: float | None
    words: str


class ChannelOut(BaseModel):
    """How much a channel was used, compared with the plans."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    channel: Channel
    made: float
    """Share of all attempts."""
    planned: float
    """Share of the steps of the plans of these leads."""


class ResultOut(BaseModel):
    """How often attempts of one number and channel reached the lead."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    number: int
    """Of the attempt among those at its lead, from 1."""
    channel: Channel
    attempts: int
    reached: RateOut


class PursuitOut(BaseModel):
    """How the leads of a period were pursued."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    since: datetime
    until: datetime
    playbook_version: str
    """Whose plans these are."""
    leads: int
    """Handed over in the period and accepted by sales."""
    never_tried: int
    """Of these, without any attempt so far."""
    attempts: int
    channels: list[ChannelOut]
    results: list[ResultOut]


def _shape_rate(rate: Rate) -> RateOut:
    return RateOut(share=rate.share, low=rate.low, high=rate.high, words=rate.words)


@router.get("/v1/pursuit", responses=describe_problems(401, 422, 503))
def pursuit(work: Reading, now: Now, since: AsOf = None, until: AsOf = None) -> PursuitOut:
    """Report how leads handed over in a period were pursued: channels, attempts and results."""
    span, agreed = choose_span(since, until, now), read_agreed(work)
    section = agreed.playbook.pursuit
    pursuits = read_pursuits(work, section, span)
    tried = [one.attempts for one in pursuits]
    made = [attempt for attempts in tried for attempt in attempts]
    mix = mix_channels([one.plan for one in pursuits], made)
    return PursuitOut(
        since=span.start,
        until=span.end,
        playbook_version=agreed.version,
        leads=len(pursuits),
        never_tried=sum(not attempts for attempts in tried),
        attempts=len(made),
        channels=[
            ChannelOut(channel=one.channel, made=one.made, planned=one.planned) for one in mix
        ],
        results=[
            ResultOut(
                number=one.number,
                channel=one.channel,
                attempts=one.attempts,
                reached=_shape_rate(one.reached),
            )
            for one in count_results(section, tried)
        ],
    )
