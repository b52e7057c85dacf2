"""What is named as music is one set for each file with splits, or all loose pieces together."""

from pathlib import Path

import pytest

from pipeline.benchmarks.study.sets import sets_of_music


def folder_of(tmp_path: Path, *names: str) -> Path:
    folder = tmp_path / "my pieces"
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"MThd")
    return folder


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.mid", "b.mid", "more/c.kar"), {"my-pieces": ""}),
        (("hymns.npz", "b.mid"), {"hymns": "hymns.npz"}),
        (("JSB Chorales.mat", "x/hymns.NPZ"), {"JSB-Chorales": "JSB Chorales.mat", "hymns": "x/hymns.NPZ"}),
        (("mat/jsb.mat", "npz/jsb.npz"), {"jsb.mat": "mat/jsb.mat", "jsb.npz": "npz/jsb.npz"}),
    ],
)
def test_sets_are_files_with_splits_or_the_folder(
    names: tuple[str, ...], expected: dict[str, str], tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, *names)
    assert sets_of_music(folder) == {name: folder / path for name, path in expected.items()}


def test_a_single_file_is_one_set(tmp_path: Path) -> None:
    path = folder_of(tmp_path, "hymns.npz") / "hymns.npz"
    assert sets_of_music(path) == {"hymns": path}
