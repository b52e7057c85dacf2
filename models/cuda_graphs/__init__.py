"""The same step recorded as a CUDA graph."""
