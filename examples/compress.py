"""Compress a WAV file losslessly with a model's probabilities, and restore it."""

import tempfile
from pathlib import Path

import numpy as np
import soundfile
from synthetic import SAMPLE_RATE, plucks, small_model

import wavecast

model = small_model()
with tempfile.TemporaryDirectory() as folder:
    source, packed, restored = (Path(folder) / name for name in ("a.wav", "a.wcz", "b.wav"))
    soundfile.write(source, plucks(3.0, seed=5), SAMPLE_RATE, subtype="PCM_16")
    done = wavecast.compress(source, packed, model=model)
    wavecast.decompress(packed, restored, model=model)
    same = np.array_equal(soundfile.read(source)[0], soundfile.read(restored)[0])
print(f"{done.bytes_before} bytes became {done.bytes_after}: {done.bits_per_sample:.2f} bits per sample")
print(f"restored bit for bit: {same}")
