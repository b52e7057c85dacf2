"""Products in bfloat16: near those in float32, and the same bits on any number of threads."""
