"""Registered models: versions, the champion, the model that MLflow serves."""
