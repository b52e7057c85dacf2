"""`wavecast export`: a model's step as an ONNX file."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json, Model, Overwrite
from pipeline.cli.output import write_json_text
from pipeline.common.files import check_overwrite
from pipeline.errors import UserError, print_line

EXAMPLES = ["export -o model.onnx", "export -o gru.onnx --model gru --check 5000"]


def export(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="ONNX file to write.")],
    model: Model = "",
    check: Annotated[
        int, Parameter(help="Number of steps over which the file is compared with PyTorch.")
    ] = 1_000,
    json: Json = False,
    overwrite: Overwrite = False,
) -> None:
    """Export one step of a model as an ONNX file, for programs without Python or PyTorch.

    The file's metadata describe the conversion of samples to inputs and of outputs to samples. The file is
    compared with PyTorch first, and is not written if they differ.
    """
    if check < 1:
        raise UserError(f"--check {check}: give at least 1 step", 2)
    check_overwrite(output, overwrite)
    from pipeline.cli.chosen_model import load_chosen
    from pipeline.export.onnx_step import export_step

    agreement = export_step(load_chosen(model, "cpu")[0], output, check)
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
        write_json_text(facts)
        return
    print_line(f"{output}  {output.stat().st_size / 1e6:.1f} MB")
    print(f"compared with PyTorch over {check:,} steps, largest difference (and largest value):")
    for name, each in agreement.items():
        print(f"  {name:<16} {each.difference:.1e} ({each.largest:.3g})")
