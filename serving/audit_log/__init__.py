"""Who did what: the audit log read, and its chain of hashes checked."""
