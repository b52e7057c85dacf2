"""Training with other frameworks on the same windows of the same recordings: `wavecast bench frameworks`.

In: a prepared data set. Out: speed, and held-out likelihood after the same processor time, of each method.
`task`, `clock`, `worker` and `with_NAME` also run in interpreters that have numpy and the framework NAME.
"""
