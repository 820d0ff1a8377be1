"""What marketing and sales do with the made-up leads."""
