"""What people and machines ask of it."""
