"""Layouts in which corpora are published: what in a path names the speaker and the split.

In: paths of recordings. Out: a group and a split for each. `registry.LAYOUTS` lists the known ones, one file
for each family. `unknown` has the rule for all others. Nothing is decoded, and only lists of splits are read.
"""
