"""What is held on a person: given out whole, or erased everywhere."""
