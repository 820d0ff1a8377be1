"""The routes of the intake."""
