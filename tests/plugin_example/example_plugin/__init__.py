"""What a data scientist hands in: see docs/how-to/bring-your-own-model.md."""
