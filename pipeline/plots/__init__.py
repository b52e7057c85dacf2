"""Figures of runs, recordings and piano rolls."""
