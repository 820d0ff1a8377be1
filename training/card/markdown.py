"""The model card as a page people read."""

from collections.abc import Mapping, Sequence
from typing import Any

Card = Mapping[str, Any]
UNKNOWN = "-"


def render_card_markdown(card: Card) -> str:
    """Render a card made by `build_card` as Markdown, pictures linked beside it."""
    if not card.get("learned", True):
        return render_cold_card(card)
    parts = [
        render_head(card),
        render_warnings(card),
        render_folds(card),
        render_candidates(card),
        render_quality(card),
        render_reliability(card),
        render_gains(card),
        render_bands(card),
        render_segments(card),
        render_segment_models(card),
        render_value(card),
        render_groups(card),
        render_leak_audit(card),
        render_data(card),
        render_limits(card),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_cold_card(card: Card) -> str:
    """Render the card of a bundle that was not learned."""
    rules = table(["feature", "gives"], card["rules"])
    parts = (
        render_head(card),
        render_warnings(card),
        f"## The points table\n\n{rules}",
        render_limits(card),
    )
    return "\n\n".join(parts) + "\n"


def render_head(card: Card) -> str:
    """Render title, promise and choice."""
    contract, chosen = card["contract"], card["chosen"]
    return (
        f"# Model card: {contract['text']}\n\n"
        f"Each score stands for the chance of **{contract['event']}** within "
        f"**{contract['horizon_days']:g} days**, from what was known at that moment.\n\n"
        f"Chosen: **{chosen['name']}**. {chosen['because']}"
    )


def render_warnings(card: Card) -> str:
    """Render the warnings, or say that there are none."""
    if not card["warnings"]:
        return "## Warnings\n\nNone."
    return "## Warnings\n\n" + "\n".join(f"- {warning}" for warning in card["warnings"])


def render_folds(card: Card) -> str:
    """Render how the candidates fared over the rolling folds that chose."""
    rows = [
        [
            row["name"],
            number(row["log_loss"], 4),
            number(row["behind"], 4),
            number(row["standard_error"], 4),
        ]
        for row in card.get("folds", ())
    ]
    header = ["model", "log loss", "behind the best", "standard error"]
    return "## Model selection\n\n" + table(header, rows) if rows else ""


def render_candidates(card: Card) -> str:
    """Render who competed on the newest slice, best log loss first."""
    rows = [
        [
            f"**{row['name']}**" if row["name"] == card["chosen"]["name"] else row["name"],
            number(row["log_loss"], 4),
            number(row["auc"]) + interval(row["auc_interval"]),
            number(row["average_precision"]),
            number(row["brier"], 4),
        ]
        for row in card["candidates"]
    ]
    header = ["model", "log loss", "AUC", "PR AUC", "Brier"]
    return "## Candidates on the newest slice\n\n" + table(header, rows)


def render_quality(card: Card) -> str:
    """Render the headline figures, each beside what it is measured against."""
    q = card["quality"]
    return (
        "## Quality on the newest slice\n\n"
        f"{q['rows']:,} moments of {q['leads']:,} leads, {q['positives']:,} converted "
        f"({share(q['base_rate'])}; in training {share(q['base_rate_train'])}). Brackets are "
        "95 % intervals, which count leads, not rows.\n\n"
        + table(["measure", "value", "beside"], list_measures(q))
        + f"\n\nIntervals: AUC by {q['auc']['interval']['method']}; calibration error by "
        f"{q['calibration_error']['interval']['method']}; slope by sandwich variance over leads."
    )


def list_measures(q: Mapping[str, Any]) -> list[list[str]]:
    """List measure, value and what it is to be read beside."""
    losses, error, line = q["losses"], q["calibration_error"], q["line"]
    return [
        ["AUC", number(q["auc"]["value"]) + interval(q["auc"]["interval"]), "0.5 is chance"],
        ["PR AUC", number(q["average_precision"]), f"{number(q['base_rate'])} is chance"],
        [
            "log loss",
            number(losses["log_loss"], 4),
            f"{number(losses['log_loss_of_training_rate'], 4)} for the base rate of training, "
            f"{number(losses['log_loss_of_own_rate'], 4)} for this slice's own",
        ],
        [
            "Brier score",
            number(losses["brier"], 4),
            f"{number(losses['brier_of_training_rate'], 4)} for the base rate of training",
        ],
        [
            "expected calibration error",
            number(error["value"], 4) + interval(error["interval"], 4),
            f"{number(error['noise_floor'], 4)} from chance alone if calibration were perfect",
        ],
        [
            "calibration slope",
            number(line["slope"]) + interval(line["slope_interval"]),
            "1 is perfect, below 1: overconfident",
        ],
        ["calibration intercept", number(line["intercept"]), "0 is perfect"],
        [
            "calibration in the large",
            number(line["intercept_in_the_large"]) + interval(line["in_the_large_interval"]),
            "0 is perfect, above 0: more conversions than predicted",
        ],
        ["lift at 10 %", number(q["lift_at_10"]), "1 is chance"],
    ]


def render_reliability(card: Card) -> str:
    """Render promise against outcome, in bins of equal size."""
    rows = [
        [
            share(row["predicted"]),
            share(row["observed"]),
            f"{share(row['observed_low'])} to {share(row['observed_high'])}",
            f"{row['rows']:,}",
            f"{row['leads']:,}",
        ]
        for row in card["quality"]["bins"]
    ]
    header = ["predicted", "observed", "95 % interval", "rows", "leads"]
    picture = link(card, "reliability.png", "Predicted chance against observed rate")
    return "## Reliability\n\n" + picture + table(header, rows)


def render_gains(card: Card) -> str:
    """Render the share of conversions among the best leads."""
    shown = (0.05, 0.1, 0.2, 0.3, 0.5)
    rows = [
        [share(row["share"], 0), share(row["found"])]
        for row in card["quality"]["gains"]
        if any(abs(row["share"] - s) < 1e-9 for s in shown)
    ]
    picture = link(card, "gains.png", "Share of leads contacted against conversions found")
    return "## Gains\n\n" + picture + table(["best leads contacted", "conversions found"], rows)


def render_bands(card: Card) -> str:
    """Render each band's promise, outcome and error."""
    rows = [
        [
            row["name"],
            UNKNOWN if row["points_from"] is None else f"{row['points_from']:g}",
            f"{row['leads']:,}",
            share(row["predicted"]),
            share(row["observed"]),
            f"{share(row['observed_low'])} to {share(row['observed_high'])}",
            share(row["calibration_error"]),
        ]
        for row in card["quality"]["bands"]
    ]
    header = ["band", "points from", "leads", "predicted", "observed", "95 % interval", "off by"]
    return "## Bands\n\n" + table(header, rows) if rows else ""


def render_segments(card: Card) -> str:
    """Render the measures per segment."""
    rows = [
        [
            row["field"],
            row["segment"],
            f"{row['rows']:,}",
            f"{row['positives']:,}",
            number(row["auc"]) + interval({"low": row["auc_low"], "high": row["auc_high"]}),
            number(row["log_loss"], 3),
            share(row["predicted"]),
            share(row["observed"]),
        ]
        for row in card["quality"]["segments"]
    ]
    header = ["field", "segment", "rows", "converted", "AUC", "log loss", "predicted", "observed"]
    note = "\n\nA dash under AUC: fewer than 10 rows of one outcome."
    return "## Segments\n\n" + table(header, rows) + note if rows else ""


def render_segment_models(card: Card) -> str:
    """Render which segments were offered a model of their own, and what came of it."""
    rows = [
        [entry["segment"], "kept" if entry["kept"] else "model for everyone", entry["because"]]
        for entry in card.get("segment_models", ())
    ]
    header = ["segment", "verdict", "why"]
    return "## Models of segments\n\n" + table(header, rows) if rows else ""


def render_value(card: Card) -> str:
    """Render whether the value promised to the newest leads came."""
    value = card.get("value")
    if not value:
        return ""
    each = "differs from lead to lead" if value["varies"] else "is the same for every lead"
    return (
        "## Value\n\nValue is chance times the amount expected if the lead converts, which "
        f"{each} (fitted on {value['leads_with_amount']:,} leads). Predicted for the newest leads: "
        f"{value['predicted']:,.0f}; observed: {value['observed']:,.0f}, {number(value['ratio'])} "
        f"[{number(value['ratio_low'])}, {number(value['ratio_high'])}] of it."
    )


def render_groups(card: Card) -> str:
    """Render how often each group supplied is among those of most points."""
    rows = [
        [
            f"{row['grouping']}: {row['group']}",
            f"{row['leads']:,}",
            share(row["chosen"]),
            f"{number(row['ratio'])} [{number(row['ratio_low'])}, {number(row['ratio_high'])}]",
            share(row["predicted"]),
            share(row["observed"]),
        ]
        for row in card.get("groups", ())
    ]
    header = [
        "group",
        "leads",
        "chosen",
        "ratio to the most chosen [95 %]",
        "predicted",
        "observed",
    ]
    note = "Chosen: among the fifth of most points. These groups are never learned from.\n\n"
    return f"## Groups\n\n{note}{table(header, rows)}" if rows else ""


def render_leak_audit(card: Card) -> str:
    """Render leaks and warnings one by one, notes by rule, and the strongest fields."""
    audit = card["leak_audit"]
    if not audit:
        return ""
    rows = [
        [
            row["feature"],
            row["rule"],
            number(row["figure"], 3),
            row["threshold"],
            "allowed" if row["allowed_because"] else row["verdict"],
            row["allowed_because"] or row["advice"],
        ]
        for row in audit["findings"]
        if row["verdict"] != "note"
    ]
    header = ["feature", "rule", "figure", "threshold", "verdict", "what to do"]
    parts = [
        f"## Leak audit\n\n{audit['summary']}",
        table(header, rows) if rows else "No leak and no warning.",
        render_notes(audit["findings"]),
        render_strongest(audit["fields"]),
        render_availability(card.get("availability", ())),
    ]
    return "\n\n".join(part for part in parts if part)


def render_notes(findings: Sequence[Mapping[str, Any]], shown: int = 8) -> str:
    """Render one line per rule that noted something, with the first few features."""
    by_rule: dict[tuple[str, str], list[str]] = {}
    for row in findings:
        if row["verdict"] == "note":
            by_rule.setdefault((row["rule"], row["threshold"]), []).append(row["feature"])
    lines = []
    for (rule, threshold), features in by_rule.items():
        more = f" and {len(features) - shown} more" if len(features) > shown else ""
        lines.append(f"- Note, {rule} {threshold}: {', '.join(features[:shown])}{more}.")
    return "\n".join(lines)


def render_strongest(fields: Sequence[Mapping[str, Any]], shown: int = 10) -> str:
    """Render the fields that rank leads best on their own."""
    known = [row for row in fields if row["strongest_auc"] is not None]
    known.sort(key=lambda row: -row["strongest_auc"])
    rows = [
        [row["field"], str(row["features"]), number(row["strongest_auc"]), row["verdict"]]
        for row in known[:shown]
    ]
    if not rows:
        return ""
    header = ["field", "features", "best AUC alone", "verdict"]
    return "Strongest fields on their own:\n\n" + table(header, rows)


def render_availability(fields: Sequence[Mapping[str, Any]]) -> str:
    """Render when each field of the lead record was known."""
    rows = [[row["field"], row["known"]] for row in fields]
    return "When each field was known:\n\n" + table(["field", "leads"], rows) if rows else ""


def render_data(card: Card) -> str:
    """Render where the examples came from and how time cut them."""
    facts = card["data"]
    rows = [
        [
            row["name"],
            f"{row['rows']:,}",
            f"{row['leads']:,}",
            share(row["base_rate"]),
            (row["first"] or UNKNOWN)[:10],
            (row["last"] or UNKNOWN)[:10],
        ]
        for row in facts["slices"]
    ]
    header = ["slice", "rows", "leads", "base rate", "from", "to"]
    parts = [
        f"## Data\n\n{facts['source']}: {facts['rows']:,} rows of {facts['leads']:,} leads.",
        table(header, rows),
        f"{facts['split_rule']} {facts['purge']}".strip(),
    ]
    if facts["withheld"]:
        withheld = [[row["field"], row["because"]] for row in facts["withheld"]]
        parts.append("Withheld from the model:\n\n" + table(["field", "because"], withheld))
    return "\n\n".join(parts)


def render_limits(card: Card) -> str:
    """Render what the model is not for."""
    if not card["limits"]:
        return ""
    return "## Limits\n\n" + "\n".join(f"- {limit}" for limit in card["limits"])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a Markdown table; bars inside cells are escaped."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with fixed digits; unknown is a dash."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    """Write a share in percent; unknown is a dash."""
    return UNKNOWN if value is None else f"{value * 100:.{digits}f} %"


def interval(ends: Mapping[str, Any] | None, digits: int = 2) -> str:
    """Write an interval in brackets after a value; nothing where it is unknown."""
    if ends is None or ends["low"] is None or ends["high"] is None:
        return ""
    return f" [{ends['low']:.{digits}f}, {ends['high']:.{digits}f}]"


def link(card: Card, picture: str, words: str) -> str:
    """Link a picture that lies beside the card, if the card has it."""
    return f"![{words}]({picture})\n\n" if picture in card["pictures"] else ""
