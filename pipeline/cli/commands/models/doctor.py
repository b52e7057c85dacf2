"""`wavecast doctor`: problems in recordings, data sets, models, runs or the installation."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from pipeline.cli.arguments import Json
from pipeline.cli.output import write_json_text
from pipeline.diagnostics.findings import Examination, counted
from pipeline.errors import printable

Targets = Annotated[
    tuple[str, ...],
    Parameter(help="Recordings, folders of them, data sets, models or runs (default: the installation)."),
]
ReferenceModel = Annotated[
    str,
    Parameter(
        name=["--model", "-m"],
        help="Model to examine and run on the recordings, which are examined at its rate. All names of a "
        "model that other commands accept are possible.",
    ),
]
INDENT = 11
EXAMPLES = [
    "doctor",
    "doctor recordings/",
    "doctor data/runs/demo-gru-0123456789",
    "doctor talk.wav --model gru",
]


def doctor(targets: Targets = (), /, *, model: ReferenceModel = "", json: Json = False) -> None:
    """Find problems in recordings, data sets, models, runs or the installation, with advice.

    The exit code is 1 if there is a problem.
    """
    from pipeline.diagnostics.diagnose import diagnose

    examined = []
    for one in diagnose(targets, model):
        examined.append(one)
        if not json:
            print(format_examination(one), flush=True)
    if json:
        found = [{**asdict(one), "has_problem": one.has_problem} for one in examined]
        write_json_text(_finite(found))
    elif len(examined) > 1:
        print(_total(examined))
    if any(one.has_problem for one in examined):
        sys.exit(1)


def format_examination(one: Examination) -> str:
    """Return an examination as text: a heading, then one or two lines for each finding."""
    lines = [f"{one.thing}  ({one.kind}{': ' if one.summary else ''}{one.summary})"]
    for finding in one.findings:
        lines.append(f"  {finding.severity:{INDENT - 2}}{finding.what}")
        if finding.advice:
            lines.append(" " * INDENT + finding.advice)
    return "\n".join(map(printable, lines)) + "\n"


def _total(examined: Sequence[Examination]) -> str:
    severities = [finding.severity for one in examined for finding in one.findings]
    problems, warnings = severities.count("problem"), severities.count("warning")
    return f"{len(examined)} examined: {counted(problems, 'problem')}, {counted(warnings, 'warning')}"


def _finite(value: object) -> object:
    """Return ``value`` with infinities and NaN replaced by None, since JSON has neither."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
