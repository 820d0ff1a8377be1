"""``make attack``: what hostile callers try, at full size, against a server of its own on the loopback."""
