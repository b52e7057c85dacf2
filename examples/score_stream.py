"""Find a burst of noise in a long recording: its windows have the highest negative log-likelihood."""

import numpy as np
from synthetic import SAMPLE_RATE, plucks, small_model

recording = plucks(10.0, seed=7)
begin = 6 * SAMPLE_RATE
recording[begin : begin + SAMPLE_RATE // 5] += 0.3 * np.random.default_rng(0).standard_normal(
    SAMPLE_RATE // 5
).astype(np.float32)

score = small_model().score(recording, SAMPLE_RATE, window_s=0.1)
print(score)
highest = int(score.series.argmax())
print(f"least likely at {score.start_s[highest]:.1f} s: {score.series[highest]:.1f} {score.figure}")
