"""Time and memory of the preparation of a simulated large corpus.

    python -m tests.helpers.clusters.large_corpus SPEECH WORK HOURS [flac|wav]

SPEECH is a folder of recordings, such as a part of LibriSpeech. Under WORK, copies of it are made in which
each recording is shifted, so that no sound is in it twice. It is prepared with one worker, with two, by two
processes of one worker at a time that prepare half of it each, and on a local Dask cluster of two.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

RATE = 16_000


def make_corpus(speech: Path, folder: Path, hours: float, suffix: str) -> float:
    """Write shifted copies of ``speech`` until they last ``hours``; return their seconds."""
    files = sorted(speech.rglob("*.flac"))
    seconds, copy = 0.0, 0
    while seconds < 3600 * hours:
        for file in files:
            samples, _ = soundfile.read(file, dtype="int16")
            target = folder / f"copy-{copy}-{file.parts[-3]}" / f"{file.stem}.{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(target, np.roll(samples, 997 * copy), RATE)
            seconds += len(samples) / RATE
            if seconds >= 3600 * hours:
                break
        copy += 1
    return seconds


def prepare(data: Path, inputs: list[Path], workers: str) -> "subprocess.Popen[str]":
    """Start a preparation of some folders in a data home of its own."""
    command = [sys.executable, "-m", "pipeline.cli.main", "prepare", *map(str, inputs), "--json"]
    environment = {**os.environ, "WAVECAST_DATA": str(data)}
    return subprocess.Popen(
        [*command, "--workers", workers], env=environment, stdout=subprocess.PIPE, text=True
    )


def measured(running: list["subprocess.Popen[str]"], more: list[int]) -> dict[str, Any]:
    """Wait for preparations; return seconds, and peak MiB of all processes and of the largest one."""
    began, peak, largest = time.perf_counter(), 0, 0
    while any(process.poll() is None for process in running):
        sizes = []
        for pid in [*(process.pid for process in running), *more]:
            try:
                parent = psutil.Process(pid)
                sizes += [each.memory_info().rss for each in (parent, *parent.children(recursive=True))]
            except psutil.NoSuchProcess:
                continue
        peak, largest = max(peak, sum(sizes)), max(largest, *sizes, 0)
        time.sleep(0.1)
    found = {"seconds": time.perf_counter() - began, "peak_mib": peak >> 20, "largest_mib": largest >> 20}
    assert all(process.returncode == 0 for process in running)
    return {name: round(value, 1) for name, value in found.items()}


def result_in(home: Path) -> tuple[str, str]:
    """Return the fingerprint of the data set in a home, and the hash of its catalogue."""
    (dataset,), (catalogue,) = home.rglob("dataset.json"), home.rglob("catalogue.jsonl")
    return dataset.parent.name, hashlib.sha256(catalogue.read_bytes()).hexdigest()[:16]


def main() -> None:
    """Measure and print one line of JSON for each way to prepare the corpus."""
    speech, work, hours = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    suffix = sys.argv[4] if len(sys.argv) > 4 else "flac"
    corpus = work / "corpus"
    shutil.rmtree(work, ignore_errors=True)
    print(f"{make_corpus(speech, corpus, hours, suffix) / 3600:.2f} hours", flush=True)
    folders = sorted(corpus.iterdir())
    results: set[tuple[str, str]] = set()
    runs = {
        "1": [(folders, "1")],
        "2": [(folders, "2")],
        "two of 1": [(folders[::2], "1"), (folders[1::2], "1")],
    }
    for name, parts in runs.items():
        homes = [work / f"home-{name}-{number}".replace(" ", "-") for number in range(len(parts))]
        running = [prepare(home, inputs, n) for home, (inputs, n) in zip(homes, parts, strict=True)]
        print(json.dumps({"workers": name, **measured(running, [])}), flush=True)
        if len(parts) == 1:
            results.add(result_in(homes[0]))
        for home in homes:
            shutil.rmtree(home)
    with local_cluster() as cluster:
        running = [prepare(work / "home-dask", folders, f"dask://{cluster.address}")]
        print(json.dumps({"workers": "dask, 2", **measured(running, cluster.pids)}), flush=True)
    results.add(result_in(work / "home-dask"))
    print(json.dumps({"fingerprints and catalogues": sorted(results)}))
    shutil.rmtree(work)


if __name__ == "__main__":
    from tests.helpers.clusters.dask_cluster import local_cluster

    main()
