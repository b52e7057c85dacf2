"""The stages of `pipeline` as Prefect flows and tasks, and nothing else.

In: a `RunConfig`. Out: the paths that the stages return. Imports `pipeline.stages` and below.
"""
