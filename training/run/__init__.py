"""One training run, from a checked history to a bundle."""
