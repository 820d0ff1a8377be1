"""Who the lead is: attributes as known at the moment, and how complete they are."""

from dataclasses import dataclass

from features.catalog.feature import Feature, Op
from features.contracts.leads import AttributeType

OTHER_CATEGORY = "(other)"
"""Where values too rare to learn from, and values never seen, go. Missing stays missing."""

FLAG_WORDS = ("no", "yes")


@dataclass(frozen=True)
class Attribute:
    """An attribute of leads as the catalogue knows it."""

    name: str
    type: AttributeType
    categories: tuple[str, ...] = ()
    """Values with a code of their own, in code order; ``(other)`` is last."""


def _said(name: str) -> str:
    return name.replace("_", " ").strip()


def _feature_of(attribute: Attribute) -> Feature:
    said = _said(attribute.name)
    is_time = attribute.type == "time"
    categories = {"category": attribute.categories, "flag": FLAG_WORDS}.get(attribute.type, ())
    units = {"number": "as given", "category": "code", "flag": "yes or no", "time": "days"}
    return Feature(
        name=f"{attribute.name}_days" if is_time else attribute.name,
        family="fit",
        op=Op.ATTRIBUTE_AGE if is_time else Op.ATTRIBUTE,
        field=attribute.name,
        field_words=said[:1].upper() + said[1:],
        sub_score="fit",
        unit=units[attribute.type],
        attribute=attribute.name,
        categories=categories,
        words=f"{said} {{value}} ago" if is_time else f"{said}: {{value}}",
        null_words=f"{said} not known",
    )


def fit_features(attributes: tuple[Attribute, ...]) -> list[Feature]:
    """List one feature per attribute, and the completeness over all of them."""
    features = [_feature_of(attribute) for attribute in attributes]
    if attributes:
        features.append(
            Feature(
                name="record_completeness",
                family="completeness",
                op=Op.COMPLETENESS,
                field="record_completeness",
                field_words="Completeness of the record",
                sub_score="fit",
                unit="share",
                words="{value} of the record filled in",
                words_zero="nothing of the record filled in",
                null_words="no record",
            )
        )
    return features
