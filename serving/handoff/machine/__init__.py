"""The states of a handoff and the table of transitions. Pure."""
