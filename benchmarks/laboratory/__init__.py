"""Markets put to the test: what any policy would have brought, leaks planted on purpose, many markets by seed."""
