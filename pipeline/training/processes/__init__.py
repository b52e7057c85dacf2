"""Trainings in processes of their own: one after the other, several at once, or on a Dask cluster.

In: run folders. Out: the same folders, trained. A killed process is noticed, and its training can be resumed.
"""
