"""The model card: what a trained model is, how good, how it explains itself, what to beware of."""
