"""Export of a trained model as one ONNX file: a single step with its state in and out, without torch.

The exported step is that of `models.onnx_step`. From the model itself, torch's exporter could not trace the
loops in the cells of Chung et al. (2014), and would add shape arithmetic to the library's cells. Every file
is compared with torch before it gets its name.
"""

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import torch

from models.head_kinds import head_kind
from models.onnx_step import ExplicitStep
from models.predictor import Predictor
from pipeline.common.files import atomic_path
from pipeline.errors import UserError
from pipeline.export.onnx_check import NEXT, Agreement, compare
from pipeline.export.onnx_metadata import OUTPUTS, step_metadata
from pipeline.model.trained_model import TrainedModel

OPSET = 17
"""First version of ONNX's operators with layer normalisation; supported by runtimes since 2022."""

TOLERANCE = 1e-4
"""Largest accepted difference from torch, as a share of the largest value of the same output."""

CONSTANT = ("encoder_weight", "decoder_weight")
"""Outputs that are constant over steps: the matrices of a `nade` head."""


def export_step(model: TrainedModel, target: Path, check_steps: int = 1_000) -> dict[str, Agreement]:
    """Write one step of the model as an ONNX file, after comparing it with torch.

    Inputs of the graph are `inputs` (B, window * width) and the state's tensors. Outputs are the parameters
    of the distribution of the next `hop * width` values, and the next state, with the prefix `next_`. The
    metadata describe all of them. Generation of sound, for diagonal covariance:

        session = onnxruntime.InferenceSession("step.onnx")
        facts = session.get_modelmeta().custom_metadata_map
        names = [output.name for output in session.get_outputs()]
        state = {name: np.array(v, "float32") for name, v in json.loads(facts["initial_state"]).items()}
        (mean,), (std,), unit = json.loads(facts["mean"]), json.loads(facts["std"]), float(facts["unit"])
        window, sound = np.zeros((1, int(facts["window"])), "float32"), []
        for _ in range(steps):
            found = dict(zip(names, session.run(None, {"inputs": window, **state})))
            state = {name: found["next_" + name] for name in state}
            ends = np.exp(found["logits"][0] - found["logits"].max()).cumsum()
            k = np.searchsorted(ends, random.random() * ends[-1], "right")
            scale = np.minimum(found["scale"][0, k], float(facts["widest"]))
            values = found["mean"][0, k] + scale * random.standard_normal(int(facts["hop"]))
            rows = np.clip(np.rint((values * std + mean) / unit), -32768, 32767)
            window = np.append(window, (rows * unit - mean) / std)[None, -window.shape[1] :].astype("float32")
            sound.append(rows.astype("int16"))

    Args:
        model: model with its network on the CPU.
        target: file to write, or to replace.
        check_steps: number of steps of the comparison; see `compare`.

    Returns:
        The agreement of each output with torch.

    Raises:
        UserError: the model cannot be exported, the libraries are missing, or an output differs from torch's
            by more than `TOLERANCE`. No file is then written.
    """
    network = model.network
    if not isinstance(network, Predictor):
        raise UserError("an encoder-decoder's step depends on its place in a block; export a predictor")
    try:
        network.recurrent.cell.onnx_step()
    except ValueError as problem:
        raise UserError(str(problem)) from None
    kind = head_kind(model.model.head, model.model.covariance).name
    if kind not in OUTPUTS:
        raise UserError(f"the head {kind} has no description for other runtimes, so it cannot be exported")
    require_libraries()
    if target.is_dir():
        raise UserError(f"{target}: is a folder; name a file, like {target}/step.onnx")
    with atomic_path(target) as temporary:
        write_step(model, ExplicitStep(network).eval(), temporary)
        agreement = compare(model, temporary, check_steps)
        name, worst = max(agreement.items(), key=lambda pair: pair[1].relative)
        if not worst.relative <= TOLERANCE:
            raise UserError(
                f"{target}: not written, since in {check_steps:,} steps {name} differs from torch by "
                f"{worst.relative:.1e} of its largest value; {TOLERANCE:.0e} is allowed"
            )
    return agreement


def require_libraries() -> None:
    """Raise `UserError` where onnx or onnxruntime is not installed."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} not installed; run: pip install 'wavecast[export]'")


def write_step(model: TrainedModel, step: ExplicitStep, file: Path) -> None:
    """Write the model's step to ``file`` with its metadata, for any batch size B."""
    import onnx

    batch = 2
    example = (torch.zeros(batch, model.framing.input_size), *step.initial_state(batch))
    inputs = ["inputs", *step.state_names]
    outputs = [*step.parameter_names, *(NEXT + name for name in step.state_names)]
    axes = {
        name: {1 if name.removeprefix(NEXT) in step.state_names else 0: "batch"}
        for name in (*inputs, *outputs)
        if name not in CONSTANT
    }
    # ONNX has this function, but torch's exporter does not support it.
    torch.onnx.register_custom_op_symbolic(  # type: ignore[attr-defined]
        "aten::asinh", lambda graph, value: graph.op("Asinh", value), OPSET
    )
    names: dict[str, Any] = {"input_names": inputs, "output_names": outputs, "dynamic_axes": axes}
    with warnings.catch_warnings():
        # The newer exporter needs another package; this one is available while torch is pinned to 2.11.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(step, example, file, **names, opset_version=OPSET, dynamo=False)
    graph = onnx.load(file)
    onnx.helper.set_model_props(graph, step_metadata(model, step))
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, file)
