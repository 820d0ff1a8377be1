"""A replay in the terminal: the draft beside today, the load, and the curve of cuts."""

from collections.abc import Iterator

from rich.table import Table

from features.terminal.screen import Screen
from serving.handoff.intervals import Rate
from serving.handoff.replay.judge import Difference, Figures
from serving.handoff.replay.report import ReplayReport

SHOWN_POINTS = 5
"""The table shows one cut in so many, and the recommended one; the file has them all."""


def format_rate(rate: Rate) -> str:
    """Say a share with its interval, short enough for a cell.

    >>> format_rate(Rate(0.5, 0.237, 0.763, 10))
    '.500 (.237-.763)'
    """
    if rate.share is None or rate.low is None or rate.high is None:
        return "-"
    return f"{_short(rate.share)} ({_short(rate.low)}-{_short(rate.high)})"


def _short(share: float) -> str:
    text = f"{share:.3f}"
    return text.removeprefix("0") if share < 1 else text


def print_replay(screen: Screen, report: ReplayReport) -> None:
    """Print everything a reader decides by."""
    screen.print(
        f"{report.begin[:10]} to {report.end[:10]} ({report.weeks_long:.1f} weeks), "
        f"{report.leads:,} open leads, looked at {report.snapshots_at}.",
    )
    screen.print(
        f"SQL within {report.horizon_days:g} days: {format_rate(report.base)} of all. "
        f"Model {report.model}, playbook {report.playbook}.",
    )
    screen.print(_table_of_figures(report))
    screen.print(_table_of_leads(report))
    screen.print(_table_of_load(report))
    screen.print(_table_of_cuts(report))
    screen.print(_table_of_weeks(report))
    screen.print(f"Recommended  {report.advice.because}", style="bold")
    for note in report.notes:
        screen.print(f"Note  {note}")


def _headed(title: str, first: str, *others: str) -> Table:
    table = Table(title=title)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _list_figures(figures: Figures) -> Iterator[str]:
    yield f"{figures.handoffs:,}"
    yield f"{figures.per_week:.1f}"
    yield f"{figures.busiest_week:,}"
    yield f"{figures.asked:,}"
    yield f"{figures.matured:,}"
    yield format_rate(figures.sql)
    yield "-" if figures.lift is None else f"{figures.lift:.2f}"
    yield format_rate(figures.recall)
    yield format_rate(figures.won)
    yield format_rate(figures.recall_won)


_FIGURES = (
    "handoffs",
    "a week",
    "in the busiest week",
    "that asked for sales",
    "old enough to be judged",
    "precision: SQL in time",
    "lift over all leads",
    "recall of SQLs",
    "won in time",
    "recall of won",
)


def _table_of_figures(report: ReplayReport) -> Table:
    table = _headed("Handed over", "", "draft", "today")
    columns = (_list_figures(report.draft), _list_figures(report.today))
    for name, draft, today in zip(_FIGURES, *columns, strict=True):
        table.add_row(name, draft, today)
    return table


def _table_of_leads(report: ReplayReport) -> Table:
    table = _headed("Leads", "handed over by", "leads", "SQL in time")
    compared = report.compared
    differences: tuple[tuple[str, Difference], ...] = (
        ("both", compared.both),
        ("the draft alone: gained", compared.gained),
        ("today alone: lost", compared.lost),
    )
    for name, difference in differences:
        table.add_row(name, f"{difference.leads:,}", format_rate(difference.sql))
    if compared.earlier_days is not None:
        days = compared.earlier_days
        when = "earlier" if days >= 0 else "later"
        table.caption = (
            f"Of those both hand over, the draft is {abs(days):.1f} days {when} (median)."
        )
    return table


def _table_of_load(report: ReplayReport) -> Table:
    load = report.load
    table = _headed("Load on sales", "", "a week", "of", "busiest day")
    for seller in load.sellers:
        busiest = f"{seller.busiest_day} of {seller.capacity_per_day}"
        table.add_row(seller.seller, f"{seller.per_week:.1f}", "", busiest)
    table.add_section()
    for priority in load.priorities:
        table.add_row(
            f"{priority.priority}: answer in {priority.answer}, contact in "
            f"{priority.first_contact}",
            f"{priority.per_week:.1f}",
            "",
            f"{priority.busiest_day}",
        )
    table.add_section()
    table.add_row("attempts, if plans are followed", f"{load.attempts_per_week:.0f}", "", "")
    table.add_row(
        f"weeks above capacity: {load.weeks_above}",
        f"{report.draft.per_week:.1f}",
        f"{load.capacity_per_week:g}",
        "",
    )
    if load.waits_hours is not None:
        table.caption = (
            f"Until a seller is at work and has room: {load.waits_hours:.1f} h (median)."
        )
    return table


def _table_of_cuts(report: ReplayReport) -> Table:
    table = _headed(
        "By threshold", "from", "a week", "capacity", "precision", "lift", "recall of SQLs"
    )
    for cut in report.curve:
        figures = cut.figures
        chosen = cut.score_from == report.advice.score_from
        if not figures.handoffs:
            break
        if cut.score_from % SHOWN_POINTS and not chosen:
            continue
        table.add_row(
            f"{cut.score_from:g}{' *' if chosen else ''}",
            f"{figures.per_week:.1f}",
            f"{100 * cut.used:.0f} %",
            format_rate(figures.sql),
            "-" if figures.lift is None else f"{figures.lift:.2f}",
            format_rate(figures.recall),
            style="bold" if chosen else None,
        )
    if report.advice.score_from is not None:
        table.caption = "* recommended"
    return table


def _table_of_weeks(report: ReplayReport) -> Table:
    table = _headed("By week", "from", "draft", "today")
    for week in report.weeks:
        table.add_row(week.begins, f"{week.draft:,}", f"{week.today:,}")
    return table
