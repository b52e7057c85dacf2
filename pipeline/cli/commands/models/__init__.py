"""Commands on models, runs and the installation."""
