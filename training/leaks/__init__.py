"""The leak audit: a gate that judges every field for knowledge of the outcome."""
