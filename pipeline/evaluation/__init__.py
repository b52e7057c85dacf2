"""A model and held-out recordings in, likelihoods out, beside baselines."""
