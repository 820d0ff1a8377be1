"""Moving the level of a served model to what the newest matured labels say."""
