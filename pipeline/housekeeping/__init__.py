"""Files that nothing needs any more: found by policy, listed, and removed.

In: the data folder and the system's temporary folder. Out: what can be removed, with its size and the reason.
Imports `pipeline.tracking`, `pipeline.common` and below.
"""
