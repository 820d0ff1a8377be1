"""The best moment on the model card's page."""

from collections.abc import Mapping
from typing import Any

from training.card.markdown import interval, link, number, share, table

PICTURES = {
    "timing-value.png": "Estimated value of each rule",
    "timing-overlap.png": "Overlap of the timing policy with the log",
    "timing-calibration.png": "P(SQL | handed off now), predicted and observed",
    "timing-curves.png": "Value of a handoff in so many days",
}


def render_timing(card: Mapping[str, Any]) -> str:
    """Render what was learned of the best moment, and whether it is served."""
    timing = card.get("timing")
    if not timing:
        return ""
    parts = [f"## The best moment to hand off\n\n{timing['because']}"]
    if "threshold" in timing:
        parts.append(
            f"Threshold of P(SQL | handed off now): {share(timing['threshold'])}. All values are in "
            f"{timing['unit']}."
        )
    proof = timing.get("proof")
    if proof:
        parts += _render_proof(proof)
        parts += [link(card, name, words).strip() for name, words in PICTURES.items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _render_proof(proof: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            row["name"],
            number(row["value"], 3) + interval(row, 3),
            number(row["weighted"], 3)
            + interval({"low": row["weighted_low"], "high": row["weighted_high"]}, 3),
            f"{row['overlap']['recommended']:,}",
            share(row["overlap"]["share"], 0),
            number(row["overlap"]["effective"], 0),
            share(row["overlap"]["largest_share"], 0),
        ]
        for row in proof["policies"]
    ]
    gains = [[row["over"], number(row["value"], 3) + interval(row, 3)] for row in proof["gains"]]
    header = [
        "rule",
        "value per lead",
        "weighted",
        "hands over",
        "overlap",
        "counts as",
        "largest",
    ]
    slope = proof["calibration_slope"]
    return [
        f"Off-policy estimates on {proof['leads']:,} leads and {proof['handoffs']:,} handoffs, the "
        f"first {proof['horizon_days']:.0f} days of each lead, 95 % intervals over leads; each half "
        "of the leads judged by what the other taught. Advantage doubly robust (Nie, Brunskill, "
        "Wager 2021), and self-normalised weighting beside it. Where a rule hands over and the log "
        "hardly ever did, the interval holds all that such a handoff may bring.",
        table(header, rows),
        table(["gain of timing over", "per lead"], gains),
        f"Calibration of P(SQL | handed off now) on held-out handoffs: slope "
        f"{number(slope['value'])}{interval(slope)}.",
        *(f"- {warning}" for warning in proof["warnings"]),
    ]
