"""Leads, events, stage changes, attempts: each lands once, and none is lost."""
