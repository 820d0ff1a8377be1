"""Processes are killed under load, then it is counted whether anything was lost or done twice."""
