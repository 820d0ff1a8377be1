"""What is learned about timing: chances of a handoff, the gain of waiting, the policy that is served."""
