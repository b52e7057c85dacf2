"""`wavecast export`: a model's step as an ONNX file."""

import json as json_format
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model, Overwrite
from pipeline.common.files import refuse_overwrite
from pipeline.errors import UserError


def export(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="ONNX file to write.")],
    model: Model = "",
    check: Annotated[int, Parameter(help="For how many steps the file is run beside torch.")] = 1_000,
    json: Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Write one step of a model as an ONNX file, for programs without Python or torch.

    The file's metadata say how samples become its inputs and its outputs samples. It is compared with torch
    first, and not written where they differ.
    """
    if check < 1:
        raise UserError(f"--check {check}: give at least 1 step", 2)
    refuse_overwrite(output, overwrite)
    from pipeline.export.onnx_step import export_step
    from pipeline.model.storage import load_model
    from pipeline.registry.registry import fetch_model

    agreement = export_step(load_model(fetch_model(model)), output, check)
    if json:
        facts = {
            "output": str(output),
            "bytes": output.stat().st_size,
            "checked_steps": check,
            "agreement": {
                name: {"difference": each.difference, "largest": each.largest, "relative": each.relative}
                for name, each in agreement.items()
            },
        }
        print(json_format.dumps(facts, indent=2))
        return
    print(f"{output}  {output.stat().st_size / 1e6:.1f} MB")
    print(f"beside torch over {check:,} steps, largest difference (and largest value):")
    for name, each in agreement.items():
        print(f"  {name:<16} {each.difference:.1e} ({each.largest:.3g})")
