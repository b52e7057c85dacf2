"""Settings: typed classes with defaults and bounds, and the YAML files that they are read from.

In: YAML files and `key=value` texts. Out: a validated `RunConfig`.
Imports `pipeline.common`. Settings stop at the functions that build things: signal code takes plain numbers.
"""
