"""Handoffs and what hangs on them: sellers, assignments, clocks, decisions, oversight."""
