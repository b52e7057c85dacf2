"""New recordings from an inbox to the folder of recordings, and the decision that a training is worth it.

In: an inbox, in which files arrive. Out: checked files in the folder of recordings, rejected ones in the
quarantine, and whether enough is new. Imports `pipeline.data` and below; `flows.ingest` sends the event.
"""
