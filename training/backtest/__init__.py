"""Walking forward through the past: train on what was known then, score, wait for the truth."""
