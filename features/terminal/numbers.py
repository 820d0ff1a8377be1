"""Numbers as people type them on a command line: ``nan`` and ``inf`` are none that mean anything."""

import math

import typer

MOST_DAYS = 36_500.0
"""Days of a span that somebody means: a hundred years."""

MOST_SEED = 2**31 - 1
"""The largest seed that every generator takes."""


def check_finite(number: float | None) -> float | None:
    """Check that a number is one, and give it back: a callback of options.

    Raises
    ------
    typer.BadParameter
        If it is ``nan`` or infinite; bounds alone let ``nan`` through, which is not below anything.
    """
    if number is not None and not math.isfinite(number):
        raise typer.BadParameter(f"{number} is no number that can be reckoned with.")
    return number
