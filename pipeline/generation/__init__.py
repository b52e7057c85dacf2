"""A model and a recording in, continuations out: free-running prediction."""
