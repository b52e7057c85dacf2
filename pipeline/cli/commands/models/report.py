"""`wavecast report`: a run or a model as one HTML page, to be read, heard and passed on."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Overwrite


def report(
    target: Annotated[
        str,
        Parameter(
            name="RUN|MODEL",
            help="A run's folder or its name, a model's folder, models:/NAME@ALIAS or runs:/ID/model.",
        ),
    ],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="HTML file to write.")] = Path(
        "report.html"
    ),
    overwrite: Overwrite = False,
) -> None:
    """Write a run's figures, pictures and sounds as one HTML page that needs no network."""
    from pipeline.common.files import refuse_overwrite
    from pipeline.reports.html import page_of, write_page

    refuse_overwrite(output, overwrite)
    write_page(output, page_of(target))
    print(output)
