"""What a cell means: text to typed values."""
