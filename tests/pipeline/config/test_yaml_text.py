"""YAML that is damaged, endless or ambiguous is an error of one line."""

from pathlib import Path

import pytest

from pipeline.config.loading import load_config
from pipeline.config.yaml_text import MOST_BYTES, parse_yaml
from pipeline.errors import UserError


def test_numbers_are_those_of_yaml_1_2() -> None:
    assert parse_yaml("{a: 1e-3, b: 3, c: [.5, x], d: null}") == {
        "a": 1e-3,
        "b": 3,
        "c": [0.5, "x"],
        "d": None,
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 100_000, "nested deeper"),
        ("{a: " * 3_000, "nested deeper"),
        ("&a [*a]", "nested too deeply"),
        (
            "a: &a [x, x]\n"
            + "".join(
                f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
            ),
            "too many values",
        ),
        ("9" * 5_000, "limit"),
        ("0x" + "f" * 5_000, "too many digits"),
        ("a: 1\nb: 2\na: 3", "the key 'a' is given twice, line 1"),
        ("!!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("2001-99-99", "month"),
        ("? [1]: 2", "unhashable"),
        ("\0", "special characters"),
    ],
)
def test_what_is_no_setting_is_an_error_of_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as problem:
        parse_yaml(text)
    assert "\n" not in str(problem.value)
    assert len(str(problem.value)) < 400


@pytest.mark.parametrize("value", ["[" * 5_000, "9" * 5_000, "!!int x", ".inf", "{train: {train: {}}}"])
def test_a_setting_of_the_command_line_is_rejected_in_one_line(value: str) -> None:
    with pytest.raises(UserError) as problem:
        load_config(Path("demo"), [f"train.learning_rate={value}"])
    assert problem.value.exit_code == 2
    assert len(str(problem.value)) < 500


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(UserError, match="more than the") as problem:
        load_config(tmp_path / "a.yaml")
    assert problem.value.exit_code == 2
