"""What history teaches. Serving enters by one door: ``training.bundle``."""
