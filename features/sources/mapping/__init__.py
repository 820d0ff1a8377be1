"""What a mapping file says: its model, its sections, its taxonomy."""
