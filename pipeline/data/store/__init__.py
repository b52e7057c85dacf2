"""The store of prepared rows on disk: rows, moments, catalogue and their checksums."""
