"""Whether a lead is handed over, and why. Pure."""
