"""The API as it describes itself, against the API as it is."""
