"""Commands from recordings to a trained model."""
