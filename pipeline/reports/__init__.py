"""A page in HTML on a run or a model, with everything inside it."""
