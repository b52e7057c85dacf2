"""The sections of a version's description are replaced one by one."""

from pipeline.registry.descriptions import DECISION, MODEL, with_section


def test_each_section_keeps_the_other() -> None:
    text = with_section(None, DECISION, "It is the first.")
    text = with_section(text, MODEL, "9.3 bits.")
    text = with_section(text, DECISION, "It was replaced.")
    assert text == f"{MODEL}\n\n9.3 bits.\n\n{DECISION}\n\nIt was replaced."
    assert with_section(text, MODEL, "9.3 bits.") == text


def test_a_decision_of_an_earlier_release_is_kept() -> None:
    text = with_section("This version became the champion.", MODEL, "9.3 bits.")
    assert text == f"{MODEL}\n\n9.3 bits.\n\n{DECISION}\n\nThis version became the champion."
