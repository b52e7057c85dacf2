"""Options under their old names."""

from pipeline.cli.renamed_options import current_spelling


def test_old_names_become_the_present_ones_with_their_values() -> None:
    old = ["conceal", "a.wav", "--packet", "10", "--trace=t.txt", "--", "--shortest"]
    new = ["conceal", "a.wav", "--packet-ms", "10", "--loss-trace=t.txt", "--", "--shortest"]
    assert current_spelling(old) == new
    assert current_spelling(new) == new
    assert current_spelling(["train", "--run", "x"]) == ["train", "--resume", "x"]


def test_other_commands_and_no_arguments_are_left_alone() -> None:
    assert current_spelling(["spectrogram", "--cut", "1"]) == ["spectrogram", "--cut", "1"]
    assert current_spelling([]) == []
