"""What the features are: one file per family; name, unit, window, family, words."""
