"""Why sales gives a lead back, in few words, and what each reason says of the lead. Pure.

The list is what sales teams are asked to choose from: unable to reach and inaccurate data, no interest
or need, no budget, no fit (SiriusDecisions, "Sales accepted leads: disqualification reasons"), wrong
person and not the right time (the A and the T of budget, authority, need, timeline), competitor and
duplicate, which CRMs list beside them.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ReturnReason(StrEnum):
    """Why a lead came back. What a CRM writes becomes one of these; its own words are kept."""

    BAD_FIT = "bad_fit"
    WRONG_PERSON = "wrong_person"
    NO_INTEREST = "no_interest"
    NO_BUDGET = "no_budget"
    COMPETITOR = "competitor"
    NOT_READY = "not_ready"
    UNREACHABLE = "unreachable"
    DUPLICATE = "duplicate"
    OTHER = "other"


class Finding(StrEnum):
    """What a return says of the lead: three different things, and none of them is "lost"."""

    REJECTED = "rejected"
    """Sales knows the lead and finds that it does not fit."""
    UNREACHABLE = "unreachable"
    """Nobody could be reached, which says nothing of the fit."""
    TOO_EARLY = "too_early"
    """Not now: the lead may come again."""


DISTINGUISHED = tuple(reason for reason in ReturnReason if reason is not ReturnReason.OTHER)
"""Reasons that features tell apart, in the order of their codes. Another reason and none at all say
equally little, and share one code."""

FINDING_OF: Mapping[ReturnReason, Finding] = MappingProxyType(
    {
        ReturnReason.BAD_FIT: Finding.REJECTED,
        ReturnReason.WRONG_PERSON: Finding.REJECTED,
        ReturnReason.NO_INTEREST: Finding.REJECTED,
        ReturnReason.NO_BUDGET: Finding.REJECTED,
        ReturnReason.COMPETITOR: Finding.REJECTED,
        ReturnReason.NOT_READY: Finding.TOO_EARLY,
        ReturnReason.UNREACHABLE: Finding.UNREACHABLE,
    }
)
"""A duplicate, another reason, or none finds nothing: guessing would make rejections up."""

_WORDINGS = {
    ReturnReason.BAD_FIT: "poor fit, no fit, not a fit, not a good fit, bad lead, not qualified, unqualified, "
    "disqualified, not relevant, wrong industry, wrong segment, wrong region, out of territory, "
    "outside territory, too small, company too small, company size, missing feature, missing features, "
    "product fit, no product fit, technical fit, not a company, student, job seeker, private person",
    ReturnReason.WRONG_PERSON: "wrong contact, wrong persona, not relevant persona, no authority, "
    "not a decision maker, not decision maker, no decision maker, not the decision maker, left company, "
    "no longer with company, no longer at company",
    ReturnReason.NO_INTEREST: "not interested, no longer interested, lost interest, no need, no pain, "
    "no use case, not needed, already has a solution, happy with current solution, status quo",
    ReturnReason.NO_BUDGET: "budget, no money, no funding, lack of budget, insufficient budget, price, "
    "too expensive, pricing, cannot afford",
    ReturnReason.COMPETITOR: "chose competitor, went with competitor, uses competitor, lost to competitor, "
    "with competitor, existing contract, under contract, is a competitor, competition",
    ReturnReason.NOT_READY: "not ready to buy, not ready yet, not yet ready, too early, timing, bad timing, "
    "wrong time, no timeline, not now, later, call back later, follow up later, future interest, "
    "future opportunity, nurture, recycle, recycled, long term, on hold, postponed, no project, "
    "no current project, budget next year, just researching, just browsing, evaluating",
    ReturnReason.UNREACHABLE: "no response, not responding, unresponsive, no answer, no reply, no contact, "
    "cannot contact, cannot reach, cant reach, could not reach, unable to reach, unable to contact, "
    "not reached, never reached, attempted to contact, gone quiet, gone dark, ghosted, no show, "
    "bad data, inaccurate data, invalid data, bad contact data, invalid contact data, "
    "bad contact information, wrong number, wrong phone number, invalid number, invalid phone, "
    "invalid phone number, disconnected, bounced, bad email, invalid email, email bounced",
    ReturnReason.DUPLICATE: "duplicate lead, duplicate contact, duplicate record, duplicated, dupe, "
    "already in crm, already a lead, existing customer, already a customer, existing opportunity, "
    "already in pipeline",
    ReturnReason.OTHER: "others, misc, miscellaneous, unknown, none, n a, na, not specified, unspecified, "
    "no reason, no reason given",
}


def fold_reason(raw: str) -> str:
    """Write a reason in small letters, its words apart by one blank, without punctuation.

    >>> fold_reason(" Not-Ready_yet! ")
    'not ready yet'
    """
    return " ".join(re.findall(r"[^\W_]+", re.sub("['\u2019]", "", raw.casefold())))


REASON_NAMES: Mapping[str, ReturnReason] = MappingProxyType(
    {fold_reason(reason): reason for reason in ReturnReason}
    | {
        wording.strip(): reason
        for reason, listed in _WORDINGS.items()
        for wording in listed.split(",")
    }
)
"""What CRMs write, folded, and the reason it means. A taxonomy carries its own copy."""
