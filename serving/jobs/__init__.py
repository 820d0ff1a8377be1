"""What runs in the background and when: jobs, the loops beside them, and what failed for good."""
