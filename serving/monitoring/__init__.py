"""Watching the model at work: readiness, metrics, the model card, drift."""
