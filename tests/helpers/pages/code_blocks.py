"""Code blocks of Markdown pages: finding them, and running them in order as a reader would."""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.music.midi import KEYS, write_midi
from tests.conftest import PROJECT_ROOT
from tests.helpers.builders import speakers_folder, tone, write_sound
from tests.helpers.corpora.published_layouts import PUBLISHED

FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)

SOURCE = re.compile(r"^<!-- source: ([\w./]+) -->$", re.MULTILINE)
"""Stands for a block with a file of the project."""

ELSEWHERE = ("make", "prefect", "source", "wavecast ui")
"""Commands that are not run here: servers and an installation, which other tests start."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the file that it shows (or none), its text and first line."""

    language: str
    title: str
    text: str
    line: int

    def commands(self) -> list[str]:
        """Return the commands of a shell block, or of a transcript the lines after a `$`."""
        lines = [line.split(" #")[0].rstrip() for line in self.text.splitlines()]
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line] if self.language == "sh" else []


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    text = SOURCE.sub(
        lambda found: f"```python\n{(PROJECT_ROOT / found[1]).read_text()}```", page.read_text()
    )
    return [
        Block(found[1], found[2] or "", found[3], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


def write_shown_files(blocks: list[Block], folder: Path) -> None:
    """Write the blocks that show a file, under its name."""
    for block in blocks:
        if block.title:
            (folder / block.title).write_text(block.text)


def write_inputs(folder: Path) -> None:
    """Write what the pages suppose to be there: recordings of speakers, a talk, a corpus, pieces of music."""
    speakers_folder(folder / "recordings", samples=4_100)  # at 16 kHz long enough for sequences of 8,000
    next(corpus for corpus in PUBLISHED if corpus.name == "LibriSpeech").make(folder / "LibriSpeech")
    write_sound(folder / "talk.wav", tone(44_100), 44_100)
    random = np.random.default_rng(0)
    for name in ("piece", *(f"pieces/{number}" for number in range(12))):
        chords = random.integers(30, 60, (40, 1, 3)).repeat(4, 1).reshape(-1, 3)
        write_midi(folder / f"{name}.mid", np.eye(KEYS, dtype=np.uint8)[chords].max(1), 4, 120.0)
    (folder / "sets").mkdir()
    rolls = {f"{split}_rolls": random.random((80, KEYS)) < 0.05 for split in ("train", "valid", "test")}
    lengths = {f"{name.partition('_')[0]}_lengths": np.full(4, 20) for name in rolls}
    np.savez(
        folder / "sets" / "hymns.npz",
        **{key: roll.astype(np.uint8) for key, roll in rolls.items()},
        **lengths,
    )


def run_blocks(blocks: list[Block], folder: Path) -> dict[str, Any]:
    """Run shell and Python blocks in order in ``folder``, the working directory of this process.

    Returns:
        The names that the Python blocks defined.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    write_shown_files(blocks, folder)
    for block in blocks:
        for command in block.commands() if block.language == "sh" else []:
            if not command.startswith(ELSEWHERE):
                run_command(command, folder)
        if block.language == "python" and not block.title:
            exec(compile(block.text, f"block at line {block.line}", "exec"), names)
    return names


def run_command(command: str, folder: Path, timeout_s: float = 900) -> str:
    """Run one command line of a page; returns its standard output.

    Raises:
        AssertionError: it ends with another code than 0.
    """
    if command.startswith("export "):
        return ""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PREFECT_HOME": str(folder / "prefect"),
    }
    done = subprocess.run(
        shlex.split(command),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    findings = (
        command.startswith("wavecast doctor") and not done.stderr
    )  # code 1 means that it found problems
    assert done.returncode == 0 or findings, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
