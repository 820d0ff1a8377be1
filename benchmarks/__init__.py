"""Measurements, printed by ``make bench``. Ratios within one run mean more than absolute times."""

from training.settings import silence_telemetry

# Before anything loads OpenMP, which reads how to wait only then.
silence_telemetry()
