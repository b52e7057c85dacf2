"""The Python interface, `import wavecast`: models, and functions on recordings, files or arrays.

In: recordings as paths, lists or arrays. Out: data sets, trained models, continuations, scores.
Imports `pipeline.stages` and below. The names are public in the module `wavecast` alone.
"""
