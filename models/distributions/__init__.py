"""Distributions of one step: mixtures of Gaussians, notes, and their arithmetic."""
