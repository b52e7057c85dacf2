"""Places: paths and addresses are read by the same functions."""

import os
from pathlib import Path

import fsspec
import pytest

from pipeline.common.places import (
    exists,
    files_below,
    is_folder,
    local_copy,
    named_place,
    place_of,
    read_bytes,
    stamp,
)
from pipeline.config.run import CorpusConfig
from pipeline.errors import RecordingRejected, UserError
from tests.helpers.servers.s3 import BUCKET, forget_connections, s3_server, upload

NAMES = [
    "z.wav",
    "a/x.wav",
    "a.b/x y#1.wav",
    "a/deep/é.flac",
    "b/1.wav",
    "README.md",
    ".hidden",
    "a/.git/y.wav",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    return tmp_path / "tree"


@pytest.fixture
def memory(tree: Path, request: pytest.FixtureRequest) -> str:
    system = fsspec.filesystem("memory")
    for name in NAMES:
        system.pipe(f"/{request.node.name}/{name}", (tree / name).read_bytes())
    return f"memory://{request.node.name}"


def test_a_remote_folder_is_listed_with_sizes_and_without_hidden_files(tree: Path, memory: str) -> None:
    sizes = {str(place).removeprefix(f"{memory}/"): size for place, size in files_below(place_of(memory))}
    visible = [name for name in NAMES if not any(part.startswith(".") for part in name.split("/"))]
    assert sizes == {name: (tree / name).stat().st_size for name in visible}


def test_a_remote_file_is_copied_whole_and_the_copy_is_removed(tree: Path, memory: str) -> None:
    place = place_of(f"{memory}/a/x.wav")
    assert exists(place)
    assert not is_folder(place)
    assert read_bytes(place, 7) == b"a/x.wav"
    with local_copy(place) as path:
        assert path.suffix == ".wav"
        assert path.read_bytes() == (tree / "a/x.wav").read_bytes()
    assert not path.exists()


def test_a_local_path_is_its_own_copy(tree: Path) -> None:
    with local_copy(tree / "z.wav") as path:
        assert path == tree / "z.wav"
    assert path.exists()


def test_a_stamp_changes_with_the_content(tree: Path, memory: str) -> None:
    place = place_of(f"{memory}/z.wav")
    before = stamp(place)
    assert stamp(place) == before
    fsspec.filesystem("memory").pipe(f"{memory.removeprefix('memory:/')}/z.wav", b"other")
    assert stamp(place) != before
    local, kept = tree / "z.wav", (tree / "z.wav").stat()
    before = stamp(local)
    local.write_bytes(b"x" * kept.st_size)
    os.utime(local, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert stamp(local) != before


def test_addresses_keep_their_text_and_file_addresses_are_paths() -> None:
    assert named_place("s3://bucket/a//b c.wav") == "s3://bucket/a//b c.wav"
    assert place_of("file:///a%20b/c.wav") == Path("/a b/c.wav")
    config = CorpusConfig(inputs=["s3://bucket/x", "here/y"])
    assert config.model_dump(mode="json")["inputs"] == ["s3://bucket/x", "here/y"]
    assert CorpusConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    "address", ["https://user:pass@host/x.wav", "https://host/x.wav?X-Amz-Signature=pass", "s3://k:pass@b/x"]
)
def test_an_address_with_a_secret_is_an_error_that_does_not_print_it(address: str) -> None:
    with pytest.raises(UserError, match="holds a password or key") as problem:
        place_of(address)
    assert "pass@" not in str(problem.value)
    assert "Signature" not in str(problem.value)


def test_missing_files_unknown_schemes_and_unlisted_folders_have_one_sentence() -> None:
    with pytest.raises(RecordingRejected, match="no such file"), local_copy(place_of("memory://none/x.wav")):
        pass
    with pytest.raises(UserError, match="nosuchscheme"):
        place_of("nosuchscheme://a/b")
    with pytest.raises(UserError, match="cannot be listed over https"):
        is_folder(place_of("https://localhost/folder/"))


@pytest.mark.slow
def test_failures_of_an_s3_server_are_retried_and_lasting_ones_reported(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.common.remote.reading.FIRST_WAIT_S", 0.01)
    with s3_server(monkeypatch) as server:
        root = place_of(upload(tree, "deep/tree"))
        names = [str(place).removeprefix(f"{root}/") for place, _ in files_below(root)]
        assert len(names) == 6
        server.every = 4
        for name in names:
            with local_copy(place_of(f"{root}/{name}")) as path:
                assert path.read_bytes() == (tree / name).read_bytes()
        assert server.failed
        server.every = 0
        with pytest.raises(UserError, match="no such bucket"):
            exists(place_of("s3://absent/x"))
        assert not exists(place_of(f"s3://{BUCKET}/absent.wav"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    forget_connections()
    with pytest.raises(UserError, match="cannot be reached"):
        exists(place_of(f"s3://{BUCKET}/x"))
