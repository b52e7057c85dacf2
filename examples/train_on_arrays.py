"""Train on arrays in memory, and compare the model with the baselines on held-out recordings."""

from synthetic import SAMPLE_RATE, SETTINGS, plucks

import wavecast

# The part before the slash is the group: all takes of one instrument are in one split.
recordings = {f"instrument-{i}/take-{k}": plucks(1.0, 10 * i + k) for i in range(10) for k in range(2)}
model = wavecast.train(recordings, sample_rate=SAMPLE_RATE, settings=SETTINGS)
figures = wavecast.evaluate(recordings, model=model, sample_rate=SAMPLE_RATE, settings=SETTINGS)
print(model)
print(f"model: {figures['model']['bits_per_sample']:.2f} bits per sample")
for name, baseline in figures["baselines"].items():
    if baseline["bits_per_sample"] is not None:
        print(f"{name}: {baseline['bits_per_sample']:.2f} bits per sample")
