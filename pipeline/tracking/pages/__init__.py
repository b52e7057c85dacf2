"""What the MLflow UI shows of runs: names, descriptions, data sets and names of figures."""
