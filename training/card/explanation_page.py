"""The part of the model card that shows what the model relies on, and how firmly it does."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.card.markdown import link, number, share, table

PICTURES = {
    "summary.png": "The reasons of many moments, one line per feature",
    "dependence.png": "Points over value, for the features that move scores most",
    "interactions.png": "Interactions between business fields",
    "pairs.png": "Pairs of features beyond their single contributions",
    "stability.png": "The weight of each business field, with its range over the refits",
}
"""What each picture shows, in the order of the page."""

LAST = "stability.png"
FIELDS_SHOWN = 10


def render_explanations(card: Mapping[str, Any]) -> str:
    """Render explanations and stability; nothing for a card that has none.

    The card's ``explanations`` are those of ``ModelExplanation.describe``, its ``stability`` those
    of ``Stability.describe``.
    """
    parts = []
    if card.get("explanations"):
        parts.append(render_reasons(card))
    if card.get("stability"):
        parts.append(render_stability(card))
    return "\n\n".join(parts) + "\n" if parts else ""


def render_reasons(card: Mapping[str, Any]) -> str:
    """Render the pictures of the reasons, and the pairs of features that speak together."""
    facts = card["explanations"]
    shown = "".join(link(card, name, words) for name, words in PICTURES.items() if name != LAST)
    rows = [[row["first"], row["second"], f"{row['points']:.2f}"] for row in facts["pairs"]]
    pairs = "\n\n" + table(["feature", "with", "points, up or down"], rows) if rows else ""
    return (
        f"## What moves the score\n\n{shown}Reasons of {facts['rows']:,} moments on which the "
        f"model was not fitted. {facts['interactions']}{pairs}"
    )


def render_stability(card: Mapping[str, Any]) -> str:
    """Render how far the reasons stay the same when the model is fitted on other leads."""
    facts = card["stability"]
    rows: Sequence[Sequence[str]] = [
        [
            row["words"],
            f"{row['points']:.1f}",
            f"{row['lowest']:.1f} to {row['highest']:.1f}",
            str(row["rank"]),
            f"{row['lowest_rank']} to {row['highest_rank']}",
        ]
        for row in facts["fields"][:FIELDS_SHOWN]
    ]
    header = ["business field", "points, up or down", "in the refits", "rank", "in the refits"]
    return (
        f"## Stability of the reasons\n\n{link(card, LAST, PICTURES[LAST])}{facts['sentence']} "
        f"{facts['refits']} refits on {facts['leads']:,} leads each, drawn with replacement from "
        f"{facts['of_leads']:,}, and {facts['rows']:,} later moments; the refit that disagrees "
        f"most keeps {share(facts['kept_least'], 0)}. Rank correlation of the fields' weight: "
        f"{number(facts['rank_correlation'])}.\n\n" + table(header, rows)
    )
