"""Recordings to predictions: corpus, data set, training, evaluation, generation, tracking, command line."""

import os

# Torch's threads wait for each other thousands of times a second. By default they wait spinning, so that one
# other busy program makes training tens of times slower; after this many turns they give the core away.
# It must be set before torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
