from pathlib import Path

import pytest

from pipeline.common.tables import read_table, read_text
from pipeline.errors import UserError


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_table_has_its_fields_by_column_and_their_lines(tmp_path: Path) -> None:
    """With a byte order mark, blanks in the header, lines of Windows, and a field over two lines."""
    table = written(tmp_path / "a.csv", '\ufeffpath, label\r\na.wav,1\r\n\r\n"b\nc.wav",0,more\r\nd.wav\r\n')
    rows = read_table(table, ["path", "label"])
    assert [(row.fields["path"], row.fields["label"]) for row in rows] == [
        ("a.wav", "1"),
        ("b\nc.wav", "0"),
        ("d.wav", ""),
    ]
    assert [row.place for row in rows] == [f"{table}, line {n}" for n in (2, 5, 6)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "no column 'path'; the first line names: none"),
        ("file,label\na.wav,1\n", "no column 'path'; the first line names: file, label"),
        ("path,label\n", "no rows below the header"),
        ('path,label\n"a.wav,1\n', "not a table in UTF-8"),
        (b"path,label\n\xff,1\n", "not a table in UTF-8"),
        (b"RIFF\0\0\0\0", "not a table in UTF-8"),
    ],
)
def test_what_is_wrong_with_a_table_is_one_line(content: str | bytes, expected: str, tmp_path: Path) -> None:
    table = written(tmp_path / "a.csv", content)
    with pytest.raises(UserError) as problem:
        read_table(table, ["path", "label"])
    assert str(problem.value).startswith(f"{table}: {expected}")
    assert "\n" not in str(problem.value)


def test_a_table_may_be_allowed_to_have_no_rows(tmp_path: Path) -> None:
    assert read_table(written(tmp_path / "a.csv", "path\n"), ["path"], empty_allowed=True) == []


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none: no such file"):
        read_text(tmp_path / "none")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_text(tmp_path)
