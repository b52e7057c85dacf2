"""How surprising a model finds recordings over time, and which are anomalies by that."""
