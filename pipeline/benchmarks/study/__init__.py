"""The comparisons of Chung et al. (2014) again: units on speech and on music, with the study's figures.

In: folders of recordings and sets of music. Out: tables in Markdown, figures in JSON, pictures.
"""
