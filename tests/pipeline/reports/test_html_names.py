"""Names of speakers, recordings, variants, baselines and models on a page are text, whatever they hold."""

from html.parser import HTMLParser

import pytest

from pipeline.common.files import read_json, write_json
from pipeline.reports.html import run_page
from tests.helpers.pages.hostile import HOSTILE, UNSHOWN, html_parts
from tests.helpers.pages.report import Page
from tests.helpers.reported_runs import add_companions, add_take, written_run


def page_with(name: str, number: int) -> str:
    """The page of a run in which everything that can be named has this name."""
    run = written_run(name=f"run-{number}")
    take = name.replace("/", "-").replace("\0", "-")
    add_take(run, take, seconds=0.1)
    add_companions(run, take, seconds=0.1)
    path = run.artifacts / "evaluation.json"
    evaluation = read_json(path, "evaluation")
    figures = {"bits_per_sample": 8.0, "nats_per_step": 1.0}
    recording = {"name": name, "group": name, "seconds": 1.0, "values": 10, **figures}
    evaluation["of_recordings"] = [recording, {**recording, "group": f"{name}2"}, recording]
    evaluation["baselines"] = {name: figures}
    evaluation["horizons"] = {"1": {"nats_per_step": 1.0}}
    write_json(path, evaluation)
    description = run.description()
    description["config"]["corpus"] |= {"inputs": [f"/home/{name}"], "group": name}
    write_json(run.path / "run.json", {**description, "variant": name, "name": name, "fingerprint": name})
    start = {"start_minutes": 1.0, "start_valid_nats_per_step": 2.0, "start_gained_nats_per_step": 1.0}
    environment = {"torch": name, "system": name, "commit": name}
    run.set_status(
        "finished", device=name, start={"from": name}, summary=start, environment=environment, reason=name
    )
    return run_page(run)


@pytest.mark.thinned(4)
@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_name_adds_no_element_no_attribute_and_no_address(number: int) -> None:
    page, ordinary = page_with(HOSTILE[number], number + 1), page_with("ordinary", 0)
    assert html_parts(page) == html_parts(ordinary)
    assert not UNSHOWN & set(page)
    for tag, attributes in Page(page).elements:
        assert not [key for key in attributes if key.startswith("on")], tag
        addresses = [attributes[key] or "" for key in ("href", "src") if key in attributes]
        assert all(address.startswith("data:") for address in addresses), tag


def test_a_name_is_shown_as_it_is_with_escapes_for_what_cannot_be_seen() -> None:
    cells = [*Cells(page_with(f"{HOSTILE[0]}\x1b\u202e", 1)).found]
    assert f"{HOSTILE[0]}\\x1b\\u202e" in cells


class Cells(HTMLParser):
    """The texts of the heads of a page's rows."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "th"

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append(data)
