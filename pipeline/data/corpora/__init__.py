"""Corpora to sources: which files are recordings, whose they are, and which split they belong to.

In: what a user names, folders, files, tables and manifests. Out: `Source` objects; nothing is decoded.
Imports `pipeline.audio` and below.
"""
