"""Public data sets: a table of them, and their download.

In: the name of a set in `sets.yaml`. Out: a folder with its files, checked and unpacked, for `prepare`.
"""
