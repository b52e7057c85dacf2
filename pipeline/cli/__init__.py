"""The command line `wavecast`: arguments, the files that they name, and what is printed.

In: arguments. Out: text or JSON on standard output, one line on standard error for a mistake.
Imports everything below, inside the functions that need it, so that `--help` stays instant.
"""
