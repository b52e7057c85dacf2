"""A worker process: shards come in on standard input, an answer for each goes out on standard output.

    python -m pipeline.data.preparing.worker POSITION_FILE

It is a program of its own and not a fork or a spawned copy of the caller: a caller's script need not be
protected against being imported again, and no thread of it is copied.
"""

import mmap
import os
import pickle
import signal
import sys
from pathlib import Path

from pipeline.data.preparing.shard import run_shard


def main() -> None:
    """Convert shards until standard input ends or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    parent = os.getppid()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand among the answers
    with Path(sys.argv[1]).open("r+b") as file, mmap.mmap(file.fileno(), 8) as position:

        def on_item(number: int) -> None:
            if os.getppid() != parent:
                sys.exit(1)
            position[:] = number.to_bytes(8, "little")

        stored = pickle.load(sys.stdin.buffer)
        while True:
            try:
                shard = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            problem: Exception | None = None
            try:
                run_shard(shard, stored, on_item)
            except Exception as raised:
                problem = raised
            pickle.dump(problem, answers)
            answers.flush()


if __name__ == "__main__":
    main()
