"""The text that commands print for a person, a module for each kind of result.

In: the facts that `--json` prints as they are. Out: lines and tables on standard output.
"""
