"""What HTTP asks of the handoff: routes by topic, schemas, queries."""
