"""Contributions to ranked reasons, reasons to sentences. Pure."""
