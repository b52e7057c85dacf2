"""Machine code is made once, however many processes need it."""

import os
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
import sys, time
from models.compiled.simd import compiled

@compiled
def halved(x):
    return x / 2

@compiled
def quartered(x):
    return halved(x) / 2

time.sleep(max(0.0, float(sys.argv[1]) - time.time()))
assert quartered(3.0) == 0.75
print(sum(sum(each.stats.cache_misses.values()) for each in (halved, quartered)))
"""


def test_processes_that_start_at_once_compile_each_function_once(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(time.time() + 3)]
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": root}
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    compiled = [int(each.communicate(timeout=120)[0]) for each in started]
    assert sum(compiled) == 2


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    program, cache = tmp_path / "program.py", tmp_path / "cache"
    program.write_text(PROGRAM)
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": root}

    def compiled() -> int:
        command = [sys.executable, str(program), "0"]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
        )
        return int(done.stdout)

    assert compiled() == 2
    for index in cache.rglob("*.nbi"):
        index.write_bytes(b"\x80 no pickle")
    assert compiled() == 2
    assert compiled() == 0
