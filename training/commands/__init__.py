"""The commands of training: read options, call a run, print what came of it."""
