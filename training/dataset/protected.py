"""Fields a model must not learn from unless somebody answers for it: protected ones and proxies."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from features.contracts.history import History
from features.contracts.leads import attribute_types
from training.errors import ProtectedFieldError

PROTECTED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "sex or gender": frozenset({"sex", "gender", "pronoun", "pronouns"}),
        "age": frozenset({"age", "birthday", "birthdate", "dob", "birth", "born"}),
        "race or ethnic origin": frozenset({"race", "ethnicity", "ethnic", "ethnicgroup"}),
        "nationality or birthplace": frozenset({"nationality", "citizenship", "birthplace"}),
        "religion or belief": frozenset({"religion", "religious", "belief", "denomination"}),
        "political opinion or union": frozenset({"political", "politics", "union"}),
        "health or disability": frozenset({"health", "disability", "disabled", "illness"}),
        "family": frozenset(
            {"marital", "married", "pregnant", "pregnancy", "children", "spouse", "family"}
        ),
        "sexual orientation": frozenset({"orientation", "sexuality"}),
        "proxy for sex: form of address": frozenset({"salutation", "honorific"}),
        "proxy for sex and origin: a person's name": frozenset(
            {"firstname", "lastname", "surname", "forename"}
        ),
        "proxy for origin: postal code": frozenset({"zip", "zipcode", "postcode", "postal"}),
    }
)
"""Why a field is left out, and the words in its name that say so. Characteristics: EU Charter of
Fundamental Rights, article 21; UK Equality Act 2010, section 4; US Equal Credit Opportunity Act,
15 U.S.C. 1691 (read 2026-11-24). Proxies: names and postal codes, as in 12 CFR 1002 supplement I."""

OF_THINGS = frozenset({"account", "company", "domain", "lead", "product", "record", "opportunity"})
"""The age of an account is nobody's age."""

PAIRS = {
    ("first", "name"),
    ("last", "name"),
    ("given", "name"),
    ("family", "name"),
    ("zip", "code"),
}


@dataclass(frozen=True)
class ProtectedField:
    """An attribute that is not learned from."""

    field: str
    because: str

    @property
    def words(self) -> str:
        """Say it on the card."""
        return f"Left out, not to be learned from: {self.field} ({self.because})."


def find_protected(
    fields: Iterable[str],
    *,
    further: Collection[str] = (),
    allowed: Mapping[str, str] | None = None,
) -> tuple[ProtectedField, ...]:
    """Find the attributes that are protected or proxies, by the words in their names.

    Parameters
    ----------
    fields
        Names of attributes.
    further
        Names that are protected here whatever they are called.
    allowed
        Name to the reason why it may be learned from all the same.

    Raises
    ------
    ProtectedFieldError
        If a field is allowed that is not there or not protected.

    Examples
    --------
    >>> [p.field for p in find_protected(["age", "company_age", "FirstName", "industry"])]
    ['age', 'FirstName']
    """
    names, reasons = list(fields), allowed or {}
    found = []
    for name in names:
        because = "named in BATON_PROTECTED_FIELDS" if name in further else find_reason(name)
        if because:
            found.append(ProtectedField(name, because))
    known = {one.field for one in found}
    for name in reasons:
        if name not in known:
            raise ProtectedFieldError(name, tuple(sorted(known)))
    return tuple(one for one in found if one.field not in reasons)


def list_left_out(
    history: History,
    drop: Collection[str],
    further: Collection[str] = (),
    allowed: Mapping[str, str] | None = None,
) -> tuple[ProtectedField, ...]:
    """List the attributes of a history that are left out as protected; see `find_protected`.

    Parameters
    ----------
    drop
        Attributes that are left out anyway.
    """
    names = [name for name in attribute_types(history.leads) if name not in drop]
    return find_protected(names, further=further, allowed=allowed)


def find_reason(name: str) -> str:
    """Find why a field of this name is protected; empty if it is not."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    lower = [word.lower() for word in words]
    if OF_THINGS & set(lower):
        return ""
    joined = {"".join(pair) for pair in pairwise(lower) if pair in PAIRS}
    for because, names in PROTECTED.items():
        if names & ({*lower} | joined):
            return because
    return "proxy for sex and origin: a person's name" if joined else ""
