"""What a handoff costs and brings, in one unit of the company's own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prices:
    """Costs and worth of a handoff in one unit, whichever: the defaults are hours of a seller."""

    touch: float = 1.0
    """First contact of one handed-over lead."""
    work: float = 2.0
    """Working an accepted one."""
    sql: float = 10.0
    """Worth of an SQL."""
    discount_by_day: float = 0.9975
    """Worth today of one tomorrow: an SQL in 90 days is worth 80 % of one now."""
    promised_delay_days: float = 1.0
    """From handoff to answer, as sales has promised."""
