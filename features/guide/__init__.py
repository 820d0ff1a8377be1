"""What the features are, told to people: ``baton features``."""
