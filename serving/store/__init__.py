"""The store: one PostgreSQL for leads, their history, scores, handoffs and the work that waits."""
