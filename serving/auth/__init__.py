"""Who asks, and what they may: keys of machines, sessions of people, roles, rates."""
