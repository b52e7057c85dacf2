"""Filling lost packets and other gaps, with baselines, measures and the experiment that compares them."""
