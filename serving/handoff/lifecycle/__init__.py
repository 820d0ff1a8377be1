"""What happens to a handoff: decide, assign, work, respond, give back, sweep."""
