"""Recordings to a prepared data set, and batches from it.

In: folders and tables of recordings. Out: `dataset.json` beside memory-mapped rows; batches of tensors.
Imports `pipeline.features` and below.
"""
