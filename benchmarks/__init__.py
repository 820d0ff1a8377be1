"""Measurements, printed by ``make bench``. Ratios within one run mean more than absolute times."""
