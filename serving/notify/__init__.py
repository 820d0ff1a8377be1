"""What leaves the house: claimed from the outbox, sent by topic, tried again, given up in the open."""
