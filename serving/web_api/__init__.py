"""What every HTTP answer shares: problems, limits, dependencies, the described API."""
