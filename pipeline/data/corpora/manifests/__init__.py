"""Manifests: tables, lists and data folders by which the field's tools name recordings and their segments.

In: one file or folder. Out: `Source` objects with speakers, splits and times, or None for no manifest. One
module reads one format; `registry.MANIFESTS` lists them. Nothing that a manifest names is opened or run.
"""

from pipeline.data.corpora.manifests.registry import MANIFESTS, folder_manifest, read_manifest

__all__ = ["MANIFESTS", "folder_manifest", "read_manifest"]
