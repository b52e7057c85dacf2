"""A prepared data set in, a trained model out: the loop, its step, its checkpoint."""
