"""Public holidays of countries and their parts: the one door to the library that knows them. Pure."""

from contextlib import suppress
from datetime import date
from functools import lru_cache


def find_country_problem(
    country: str | None, subdivision: str | None
) -> tuple[str, str, str] | None:
    """Find why a country's holidays cannot be known: field, problem and fix; None if they can."""
    if country is None:
        return None
    import holidays  # 0.7 s, which commands that ask for no country need not wait for

    with suppress(NotImplementedError):
        holidays.country_holidays(country, subdiv=subdivision)
        return None
    known = holidays.list_supported_countries()
    if country not in known:
        return (
            "country",
            f"no public holidays are known for {country!r}",
            "Write two capital letters, such as NL or US, or leave it out and list days in closed.",
        )
    listed = ", ".join(known[country]) or "none"
    return (
        "subdivision",
        f"{country} has no part {subdivision!r} with holidays of its own",
        f"Leave it out, or use one of: {listed}.",
    )


@lru_cache(maxsize=256)
def list_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """List the public holidays of a year, those of a part of the country with them."""
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
