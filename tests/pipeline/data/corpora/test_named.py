"""What the user names becomes sources, each once; what cannot be understood is said in one line."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.run import CorpusConfig
from pipeline.data.corpora.corpus import find_corpus
from pipeline.data.corpora.named import find_sources, read_inputs
from pipeline.data.corpora.remote import Mirror
from pipeline.data.corpora.source import Source
from pipeline.data.manifest import Recording, content_hash, read_manifest, write_manifest
from pipeline.errors import RecordingRejected, UserError

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make files below a temporary folder; gives the folder."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "corpus" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\0\1" + name.encode())
        return tmp_path / "corpus"

    return make


def found(
    inputs: list[Path], group: str = "folder", level: int = 1
) -> list[tuple[str, str | None, str | None]]:
    config = CorpusConfig(inputs=inputs, group=group, folder_level=level)
    return [(s.path.name, s.group, s.split) for s in find_corpus(config).sources]


def refusal(inputs: list[Path], group: str = "folder", level: int = 1) -> str:
    with pytest.raises(UserError) as error:
        found(inputs, group, level)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_folder_is_searched_in_a_fixed_order_and_every_file_may_be_a_recording(tree: Tree) -> None:
    root = tree("b/2.wav", "b/1.txt", "a/x/3", "0.flac", ".hidden/4.wav", "a/.5.wav", "README.md", "b/readme")
    assert found([root]) == [
        ("0.flac", None, None),
        ("3", "a", None),
        ("1.txt", "b", None),
        ("2.wav", "b", None),
    ]
    assert found([root], level=2)[1] == ("3", "x", None)
    assert {group for _, group, _ in found([root], level=3)} == {None}
    assert {group for _, group, _ in found([root], group="recording")} == {None}
    assert all(source.path.is_absolute() for source in find_sources([root]))


def test_each_file_comes_once_however_it_is_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree("a/1.wav", "a/2.wav")
    monkeypatch.chdir(root)
    assert found([root, root / "a" / "1.wav", Path("a/../a/2.wav")]) == found([root])


def test_links_are_followed_and_loops_are_not(tree: Tree) -> None:
    root = tree("a/1.wav")
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "2.wav").touch()
    (root / "a" / "up").symlink_to(root)
    (root / "b").symlink_to(elsewhere)
    (root / "c").symlink_to(elsewhere)
    (root / "gone.wav").symlink_to("nowhere")
    assert found([root]) == [("gone.wav", None, None), ("1.wav", "a", None), ("2.wav", "b", None)]


def test_pipes_are_left_out(tree: Tree) -> None:
    root = tree("a/1.wav")
    os.mkfifo(root / "a" / "pipe")
    assert found([root]) == [("1.wav", None, None)]


def test_a_table_gives_groups_and_splits(tree: Tree) -> None:
    table = tree("a/1.wav", "b/2.wav") / "table.csv"
    table.write_text(
        "\ufeffspeaker,path,split\nann,a/1.wav,train\nbob,b/2.wav,\nann,gone.wav,\n,b/3.wav,test\n"
    )
    assert found([table], "speaker") == [
        ("1.wav", "ann", "train"),
        ("2.wav", "bob", None),
        ("gone.wav", "ann", "train"),  # a group has one split
        ("3.wav", None, "test"),
    ]
    assert [group for _, group, _ in found([table])] == ["a", "b", None, "b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,person\na.wav,ann\n", "no column 'speaker'; the first line names: path, person"),
        ("path,speaker\n", "without a recording"),
        ("person,speaker\nann,bob\n", "no column 'path'"),
        ("", "no column 'path'"),
    ],
)
def test_a_table_without_recordings_is_refused(tree: Tree, text: str, reason: str) -> None:
    table = tree("a.wav") / "table.csv"
    table.write_text(text)
    with pytest.raises(UserError, match=reason):
        read_inputs([table], "speaker", Mirror())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path,speaker,split\na.wav,ann,train\nb.wav,ann,third\n", "split 'third' is none of .*line 3"),
        ("path,speaker\na.wav,ann\n,bob\n", "no file is named .*line 3"),
        ("path,speaker,split\na.wav,,train\na.wav,,test\n", "names it twice"),
        ("path,speaker\na.wav,ann\na.wav,bob\n", "names it twice"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_with_its_line(tree: Tree, text: str, reason: str) -> None:
    table = tree("a.wav", "b.wav") / "table.csv"
    table.write_text(text)
    rejected = [
        source.reason for source in read_inputs([table], "speaker", Mirror()).sources if source.reason
    ]
    assert len(rejected) == 1
    assert re.search(reason, rejected[0])


def test_two_inputs_that_contradict_each_other_are_refused(tree: Tree) -> None:
    root = tree("a.wav", "b.wav")
    for name, row in (("one", "a.wav,ann,train"), ("two", "a.wav,ann,test"), ("three", "a.wav,bob,train")):
        (root / f"{name}.csv").write_text(f"path,speaker,split\n{row}\n")
    with pytest.raises(UserError, match=r"two\.csv: .*a\.wav is in test, but before in train"):
        read_inputs([root / "one.csv", root / "two.csv"], "speaker", Mirror())
    with pytest.raises(UserError, match=r"three\.csv: .*a\.wav is of bob, but before of ann"):
        read_inputs([root / "one.csv", root / "three.csv"], "speaker", Mirror())


def test_a_split_in_one_table_holds_in_all_inputs(tree: Tree) -> None:
    root = tree("ann/1.wav", "ann/2.wav", "bob/3.wav", "cid/4.wav")
    table = root.parent / "splits.csv"
    rows = (f"{root}/{row}\n" for row in ("ann/1.wav,test", "bob/3.wav,train", "cid/4.wav,valid"))
    table.write_text("path,split\n" + "".join(rows))
    assert found([root, table]) == [
        ("1.wav", "ann", "test"),
        ("2.wav", "ann", "test"),
        ("3.wav", "bob", "train"),
        ("4.wav", "cid", "valid"),
    ]


def test_a_list_names_paths_and_a_recording_may_be_named_like_one(tree: Tree) -> None:
    root = tree("a/1.wav", "b/2.wav", "recording.txt")
    (root / "list.txt").write_text("a/1.wav\n\n  gone.wav\n" + str(root / "b" / "2.wav"))
    assert found([root / "list.txt"]) == [
        ("1.wav", "a", None),
        ("gone.wav", None, None),
        ("2.wav", "b", None),
    ]
    assert found([root / "recording.txt"]) == [("recording.txt", None, None)]
    (root / "notes.txt").write_text("dear diary\n")
    assert "none of its 1 lines is a file" in refusal([root / "notes.txt"])


def test_groups_of_a_list_that_lies_apart_are_those_of_its_files(tree: Tree) -> None:
    root = tree("a/1.wav", "b/2.wav", "lists/other")
    (root / "lists" / "train.txt").write_text("../a/1.wav\n../b/2.wav\n")
    assert [group for _, group, _ in found([root / "lists" / "train.txt"])] == ["a", "b"]


def test_what_is_missing_or_empty_is_refused(tree: Tree) -> None:
    root = tree("a/.hidden")
    assert refusal([root / "b"]) == f"{root / 'b'}: no such file or folder"
    assert refusal([root / ("long" * 99)]).endswith("no such file or folder")
    assert refusal([root]) == f"{root}: no files in this folder"
    assert "no column 'speaker'" in refusal([tree("1.wav")], group="speaker")


def test_a_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    records = [
        Recording(path=Path("/corpus/gone.wav"), refused="no such file"),
        Recording(
            path=Path(os.fsdecode(b"/corpus/\xff caf\xc3\xa9\n.wav")),  # not UTF-8, and a line break
            content_hash="ab",
            audio_hash="cd",
            sample_rate=44_100,
            channels=2,
            frames=None,
            container="WAV",
            encoding="PCM_16",
            samples=3,
            seconds=1 / 3,
            peak=0.1,
            group="ann",
            split="valid",
            notes=("one", "two"),
        ),
    ]
    write_manifest(tmp_path / "manifest.jsonl", records)
    assert read_manifest(tmp_path / "manifest.jsonl") == records
    assert (tmp_path / "manifest.jsonl").read_text().count("\n") == len(records)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", '{"path": 1}', '{"path": "a", "split": "dev"}', '{"more": 1}']
)
def test_a_damaged_manifest_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "manifest.jsonl"
    write_manifest(path, [Recording(path=Path("a.wav"))])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match="line 2: not a manifest record"):
        read_manifest(path)
    with pytest.raises(UserError, match="no such manifest"):
        read_manifest(tmp_path / "other.jsonl")


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert content_hash(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    with pytest.raises(RecordingRejected, match="no such file"):
        content_hash(tmp_path / "b")
    with pytest.raises(RecordingRejected, match="not a file"):
        content_hash(tmp_path)


def test_a_source_is_a_plain_record() -> None:
    assert Source(Path("a"), None, None) == Source(Path("a"), None, None)
