"""A made-up market whose truth is known: world, generate, scenarios."""
