"""Parent runs in MLflow: one above the runs of a comparison or of a search.

In: a folder that is the record. Out: a run that is found again by its tag, with text, files and figures.
"""
