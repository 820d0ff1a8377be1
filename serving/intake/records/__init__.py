"""Leads, events, stages, attempts as they come in: parsed, then written."""
