"""Which candidate serves: the competition, segments, tuning, the value of a deal."""
