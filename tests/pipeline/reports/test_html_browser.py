"""A run's page in a real browser, from the narrowest window to the widest."""

import html
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.reports.html import page_of, run_page, write_page
from pipeline.tracking.run_folder import RunFolder
from tests.helpers.reported_runs import NASTY, add_take, written_run

WIDTHS_PX = (320, 340, 500, 1200, 3840)
MEASURE = """<!DOCTYPE html><pre id="found"></pre>
<script>
const frames = %s.map(([address, width]) => {
  const frame = document.createElement("iframe");
  Object.assign(frame, {src: address, width, height: 800});
  document.body.append(frame);
  return new Promise(done => { frame.onload = () => done(frame.contentDocument); });
});
const known = sound =>
  sound.readyState ? 0 : new Promise(done => { sound.onloadedmetadata = sound.onerror = done; });
Promise.all(frames.map(async frame => {
  const page = await frame, sounds = [...page.querySelectorAll("audio")];
  await Promise.all(sounds.map(known));
  return {
    url: page.URL, width: page.documentElement.scrollWidth, room: page.documentElement.clientWidth,
    durations: sounds.map(x => x.duration), images: [...page.images].map(x => x.naturalWidth),
    scripts: page.scripts.length,
  };
})).then(found => { document.getElementById("found").textContent = JSON.stringify(found); });
</script>"""


@pytest.mark.slow
def test_a_browser_shows_and_plays_it_at_any_width_without_complaint(
    evaluated: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    monkeypatch.setenv("WAVECAST_DATA", str(tmp_path))
    nasty = written_run(name="a" * 60)
    add_take(nasty, NASTY, sample_rate=2_000)
    pages = {
        "evaluated": run_page(evaluated),
        "nasty": run_page(nasty),
        "model": page_of(str(evaluated.model)),
    }
    for name, page in pages.items():
        write_page(tmp_path / f"{name}.html", page)
    asked = [(f"{name}.html", width) for name in pages for width in WIDTHS_PX]
    (tmp_path / "measure.html").write_text(MEASURE % json.dumps(asked))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    flags += ["--enable-logging=stderr", "--virtual-time-budget=20000", f"--user-data-dir={tmp_path / 'own'}"]
    command = [browser, *flags, f"file://{tmp_path}/measure.html"]
    seen = subprocess.run(command, capture_output=True, text=True, timeout=300)
    message = seen.stdout.partition('<pre id="found">')[2].partition("</pre>")[0]
    found = json.loads(html.unescape(message))
    assert len(found) == len(asked)
    assert "CONSOLE" not in seen.stderr
    for page in found:
        assert page["width"] <= page["room"], page
        assert page["scripts"] == 0
        assert all(page["images"])
        assert all(duration > 0 for duration in page["durations"])
    assert {len(page["durations"]) for page in found} == {1}
