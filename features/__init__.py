"""What was known about a lead at one moment."""
