"""Rows to records: leads, events, stages and attempts, gathered and sorted."""
