"""Conversion of recordings to rows, in shards: in this process, in workers, or on a cluster."""
