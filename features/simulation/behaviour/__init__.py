"""Who the made-up leads are and what they do."""
