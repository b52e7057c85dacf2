"""A process that is killed while it fetches a set is continued by the next one."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.data.public.fetch import fetch
from tests.conftest import PROJECT_ROOT
from tests.helpers.broken_server import Server, drip_pieces
from tests.pipeline.data.public.conftest import archive_of, set_of

FILES = {f"Corpus/{number}.wav": os.urandom(200_000) for number in range(20)}
CODE = (
    "import sys; from pathlib import Path; from pipeline.data.public.fetch import fetch; "
    "from pipeline.data.public.table import PublicSet; "
    "fetch(PublicSet.model_validate_json(sys.argv[1]), Path(sys.argv[2]))"
)


@pytest.mark.slow
def test_a_killed_fetch_is_continued_and_ends_with_the_same_files(server: Server, tmp_path: Path) -> None:
    content, chance = archive_of(FILES), random.Random(0)
    public = set_of(content, server.answer("/corpus.tar.gz", drip_pieces(content, 20_000, 0.01)))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-c", CODE, public.model_dump_json(), str(tmp_path)]
    for count in range(7):
        before, process = len(server.requests), subprocess.Popen(command, env=environment)
        while count > 0 and len(server.requests) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.4)
        process.send_signal(signal.SIGKILL)
        process.wait()
    folder, _ = fetch(public, tmp_path)
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.wav")}
    assert found == FILES
    starts = [int(asked.removeprefix("bytes=").rstrip("-")) for asked in server.ranges if asked]
    assert starts == sorted(starts)
    assert len({start for start in starts if start > 0}) > 2  # several were killed amid the download
