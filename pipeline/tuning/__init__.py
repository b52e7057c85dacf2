"""The search for the best settings of a training: trials are drawn, trained, ended early and compared.

In: a configuration with a `tuning` section, and a prepared data set. Out: the run folders of the trials, and
the folder of the search with its study, table and picture. Optuna is imported here only.
"""
