"""The reference of the command line, generated from the application that `wavecast` runs."""

import re

from pipeline.cli.main import app

INTRODUCTION = """# Command line

This page is generated from the program itself. `wavecast COMMAND --help` prints the same text.

Exit codes: 0 for success, 1 for problems with files or servers, 2 for wrong arguments or settings, 130 when
stopped by Ctrl-C. Errors are one line on standard error.
"""


def command_line_page() -> str:
    """Return the page in Markdown."""
    text = app.generate_docs(output_format="markdown", heading_level=1)
    body = re.sub(r"^# .*?\n(?=\n)", "", text, count=1)
    body = re.sub(r"\n## Table of Contents\n.*?(?=\n\*\*|\n## )", "\n", body, flags=re.DOTALL)
    # Empty defaults do not help a reader.
    body = re.sub(r' \*\[default: (\(\)|""|None)\]\*', "", body)
    return INTRODUCTION + body
