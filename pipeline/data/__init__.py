"""Recordings in, a prepared data set and batches from it out."""
