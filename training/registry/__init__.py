"""Bundles in MLflow: log, find, load."""
