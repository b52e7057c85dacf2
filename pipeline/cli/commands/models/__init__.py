"""Commands about models, runs and the installation."""
