"""Encoder, decoder and attention."""
