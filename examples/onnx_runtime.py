"""Export one step of a model, and generate audio from it with ONNX Runtime and NumPy alone."""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from synthetic import small_model

from pipeline.export.onnx_step import export_step

STEPS = 200
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "step.onnx"
    export_step(small_model().trained, file, check_steps=100)
    session = onnxruntime.InferenceSession(file.read_bytes())

facts = session.get_modelmeta().custom_metadata_map
names = [output.name for output in session.get_outputs()]
(mean,), (std,), unit = json.loads(facts["mean"]), json.loads(facts["std"]), float(facts["unit"])
state = {name: np.array(value, "float32") for name, value in json.loads(facts["initial_state"]).items()}
random, window, sound = np.random.default_rng(0), np.zeros((1, int(facts["window"])), "float32"), []
for _ in range(STEPS):
    found = dict(zip(names, session.run(None, {"inputs": window, **state}), strict=True))
    state = {name: found["next_" + name] for name in state}
    weights = np.exp(found["logits"][0] - found["logits"].max())
    component = random.choice(len(weights), p=weights / weights.sum())
    scale = np.minimum(found["scale"][0, component], float(facts["widest"]))
    values = found["mean"][0, component] + scale * random.standard_normal(int(facts["hop"]))
    rows = np.clip(np.rint((values * std + mean) / unit), -32768, 32767)
    window = np.append(window, (rows * unit - mean) / std)[None, -window.shape[1] :].astype("float32")
    sound.append(rows.astype("int16"))
print(f"{len(np.concatenate(sound))} samples from {STEPS} steps, without torch")
