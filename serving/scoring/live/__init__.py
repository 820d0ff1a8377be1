"""Scoring the leads of the store as things happen."""
