"""What the Prefect UI shows of a run: names, log lines, progress, tables and links.

In: results of the stages. Out: artifacts and log lines of the flow run. Imports `pipeline` and Prefect.
"""
