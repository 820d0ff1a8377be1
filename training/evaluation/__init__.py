"""Ranking, calibration, value, segments, and the report that becomes the model card."""
