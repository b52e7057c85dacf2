"""`wavecast report`: one HTML page about a run or a model."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Overwrite
from pipeline.errors import print_line

EXAMPLES = ["report champion", "report demo-gru-0123456789 -o gru.html"]


def report(
    target: Annotated[
        str,
        Parameter(
            name="RUN|MODEL",
            help="Run or model: the name of a run, its folder, a version number, an alias, a model's folder, "
            "models:/NAME@ALIAS or runs:/ID/model.",
        ),
    ],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="HTML file to write.")] = Path(
        "report.html"
    ),
    overwrite: Overwrite = False,
) -> None:
    """Write one HTML page about a run or a model, with figures, pictures and audio players.

    The page needs no network.
    """
    from pipeline.common.files import check_overwrite
    from pipeline.reports.html import page_of, write_page

    check_overwrite(output, overwrite)
    write_page(output, page_of(target))
    print_line(output)
