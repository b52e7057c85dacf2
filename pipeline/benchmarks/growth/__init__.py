"""Growth of speed and memory of training with model, batch and data: `wavecast bench growth`.

In: sizes. Out: steps per second and memory for each, beside what the machine's products and memory allow.
"""
