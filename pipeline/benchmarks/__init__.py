"""Timings and comparisons that anyone can repeat: `wavecast bench`, `wavecast study`."""
