"""The neutral look at rejected leads: sample, findings, report."""
