"""Run folders, the record of every training, and their copy in MLflow."""
