"""Scoring: one lead now, or many in one call; and the log of what was scored."""
