"""Commands from recordings to trained models."""
