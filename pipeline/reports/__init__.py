"""HTML pages and other artifacts of runs and models.

In: a run folder or a model. Out: one self-contained HTML file, plots and sounds.
Imports the applications and below.
"""
