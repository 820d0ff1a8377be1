"""Scoring what is sent in a request."""
