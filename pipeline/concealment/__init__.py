"""Concealment of lost packets and other gaps.

In: a recording and its gaps. Out: a whole recording, and measures of its quality.
Imports `pipeline.generation` and below; no other application.
"""
