"""Clocks in working time, and what both sides owe by them. Pure."""
