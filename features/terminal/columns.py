"""Plain columns: what a table is in a pipe or a file."""

from collections.abc import Container, Sequence

GAP = "  "


def align(
    rows: Sequence[Sequence[str]], right: Container[int] = (), least: Sequence[int] = ()
) -> list[str]:
    """Align cells in columns; a cell of several lines goes on below itself.

    Parameters
    ----------
    rows
        Each of as many cells as there are columns.
    right
        Positions of columns whose cells end at the same place; the others begin there.
    least
        The fewest characters of each column; none given: as many as its cells have.

    >>> align([["model", "AUC"], ["trees", "0.8"], ["base rate", "0.55"]], right={1})
    ['model       AUC', 'trees       0.8', 'base rate  0.55']
    """
    if not rows:
        return []
    split = [[cell.split("\n") for cell in row] for row in rows]
    widths = [
        max(len(line) for cell in column for line in cell) for column in zip(*split, strict=True)
    ]
    widths = [max(pair) for pair in zip(widths, least, strict=True)] if least else widths
    lines = []
    for row in split:
        for number in range(max(map(len, row))):
            parts = (cell[number] if number < len(cell) else "" for cell in row)
            padded = [
                part.rjust(width) if position in right else part.ljust(width)
                for position, (part, width) in enumerate(zip(parts, widths, strict=True))
            ]
            lines.append(GAP.join(padded).rstrip())
    return lines
