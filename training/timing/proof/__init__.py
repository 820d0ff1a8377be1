"""What a policy would have brought on the log, and how sure that is."""
