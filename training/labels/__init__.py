"""Outcome within a horizon, maturity, censoring."""
