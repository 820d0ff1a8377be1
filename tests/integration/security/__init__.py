"""What hostile callers try, each at a small size; the full sizes are in `make attack`."""
