"""The monthly report of oversight as Markdown, for the meeting of both teams. Pure."""

from collections.abc import Iterator

from serving.handoff.oversight.report import Breakdown, MonthlyReport


def write_report(report: MonthlyReport) -> str:
    """Write a month's report."""
    return "\n".join(_list_lines(report)) + "\n"


def _list_lines(report: MonthlyReport) -> Iterator[str]:
    yield f"# Oversight of {report.month:%Y-%m}"
    yield ""
    versions = ", ".join(report.versions) or "none"
    yield f"Rejections: {report.rejections}, handed over under playbook {versions}."
    yield f"Reviewed: {report.reviewed}. In strata that the sample did not reach: {report.not_reviewed}."
    yield "Shares carry their interval; those of few leads are not shown."
    yield from _list_breakdown("Accepted by sales", report.acceptance)
    yield from ("", "## What the rule says of every rejection", "")
    for ruling, count in report.rulings.items():
        yield f"- {ruling.value.replace('_', ' ')}: {count}"
    yield from ("", "## What the overseer found", "")
    for finding, rate in report.findings.items():
        yield f"- {finding.value.replace('_', ' ')}: {rate.words}"
    yield from _list_breakdown("Should have been accepted", report.overturned)
    yield from ("", "## For the next playbook", "")
    if not report.recommendations:
        yield "Nothing is outside the agreed limits."
    for one in report.recommendations:
        yield f"- `{one.place}`: {one.proposal} {one.because}"


def _list_breakdown(title: str, found: Breakdown) -> Iterator[str]:
    yield from ("", f"## {title}", "", f"All: {found.everyone.words}", "")
    parts = {"source": found.by_source, "seller": found.by_seller, "rule": found.by_rule}
    if any(parts.values()):
        yield from ("| by | of | share |", "|---|---|---|")
    for name, cells in parts.items():
        for cell in cells:
            escaped = cell.name.replace("|", "\\|").replace("\n", " ")
            yield f"| {name} | {escaped} | {cell.rate.words} |"
