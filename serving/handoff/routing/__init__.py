"""Which seller gets a lead. Pure."""
