"""Corpora on servers: their layouts, groups and splits are found as those of a folder of this machine."""

from pipeline.data.corpora.remote.mirror import Mirror

__all__ = ["Mirror"]
