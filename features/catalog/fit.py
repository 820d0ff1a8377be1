"""Who the lead is: attributes as known at the moment, and how complete they are."""

from dataclasses import dataclass

from features.catalog.feature import Feature, Op
from features.contracts.leads import AttributeType

OTHER_CATEGORY = "(other)"
"""Where values too rare to learn from, and values never seen, go. Missing stays missing."""

FLAG_WORDS = ("no", "yes")

CONTACT = frozenset(
    {
        "address", "city", "company", "country", "email", "email_domain_kind", "first_name",
        "job_title", "last_name", "linkedin", "mobile", "name", "phone", "region", "website",
    }
)  # fmt: skip
"""Attributes that tell who to reach and how; ``phone_known`` and the like count as ``phone``."""

RECORD_COMPLETENESS, CONTACT_COMPLETENESS = 0, 1
"""Positions of the two sets of attributes whose completeness is measured."""


def is_contact(name: str) -> bool:
    """Tell whether an attribute is contact information.

    >>> is_contact("phone_known"), is_contact("employees")
    (True, False)
    """
    return name.removesuffix("_known").removesuffix("_given") in CONTACT


@dataclass(frozen=True)
class LeadAttribute:
    """An attribute of leads as the catalogue knows it."""

    name: str
    type: AttributeType
    categories: tuple[str, ...] = ()
    """Values with a code of their own, in code order; ``(other)`` is last."""


def _words_of(name: str) -> str:
    return name.replace("_", " ").strip()


def _feature_of(attribute: LeadAttribute) -> Feature:
    wording = _words_of(attribute.name)
    is_time = attribute.type == "time"
    categories = {"category": attribute.categories, "flag": FLAG_WORDS}.get(attribute.type, ())
    units = {"number": "as given", "category": "code", "flag": "yes or no", "time": "days"}
    return Feature(
        name=f"{attribute.name}_days" if is_time else attribute.name,
        family="fit",
        op=Op.ATTRIBUTE_AGE if is_time else Op.ATTRIBUTE,
        field=attribute.name,
        field_words=wording[:1].upper() + wording[1:],
        sub_score="fit",
        unit=units[attribute.type],
        attribute=attribute.name,
        categories=categories,
        words=f"{wording} {{value}} ago" if is_time else f"{wording}: {{value}}",
        words_ahead=f"{wording} in {{value}}" if is_time else "",
        null_words=f"{wording} not known",
    )


def fit_features(attributes: tuple[LeadAttribute, ...]) -> list[Feature]:
    """List one feature per attribute, and the completeness of all and of the contact ones."""
    features = [_feature_of(attribute) for attribute in attributes]
    wording = (
        (RECORD_COMPLETENESS, "record", attributes),
        (
            CONTACT_COMPLETENESS,
            "contact information",
            [a for a in attributes if is_contact(a.name)],
        ),
    )
    features += [
        Feature(
            name=f"{words.split()[0]}_completeness",
            family="completeness",
            op=Op.COMPLETENESS,
            field=f"{words.split()[0]}_completeness",
            field_words=f"Completeness of the {words}",
            sub_score="fit",
            unit="share",
            position=position,
            words=f"{{value}} of the {words} filled in",
            words_zero=f"nothing of the {words} filled in",
            null_words="no record yet",
            direction=1,
        )
        for position, words, asked in wording
        if asked
    ]
    return features
