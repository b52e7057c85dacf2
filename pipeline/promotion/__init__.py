"""Promotion to champion: new models are compared with it on recordings that are held out for this.

In: trained runs and their configuration, or a user's choice. Out: the aliases `champion` and `previous`, and
the record of each decision. Imports `pipeline.registry` and below.
"""
