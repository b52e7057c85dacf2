"""Several trainings in one process, whose updates are computed together.

In: run folders of one size. Out: the same folders, trained, with the weights that each gets alone.
"""
