"""Make the pictures of MLflow's and Prefect's pages in the documentation: `make screenshots`.

Real services are started, three small models are trained as a flow run, and a browser opens the pages.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from browser import Browser, browser

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Path(__file__).with_name("pictures.yaml")
IMAGES = ROOT / "docs" / "images"
MLFLOW_PORT, PREFECT_PORT = 5055, 4255
MLFLOW, PREFECT = f"http://127.0.0.1:{MLFLOW_PORT}", f"http://127.0.0.1:{PREFECT_PORT}"
TRAINING_PAGES = "workflowType=machine_learning"
"""Part of an address with which MLflow shows the pages of trainings, not those of language models."""
NO_ASSISTANT = """
localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');
localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
"""
SHOW_MORE = "[...document.querySelectorAll('button')].find(b => b.innerText == 'Show more')?.click()"
EXPAND = (
    "document.querySelector('[class*=\"ag-pinned-left\"] [role=row] button svg')?.closest('button').click()"
)


def wavecast(*arguments: str, home: Path, **environment: str) -> None:
    """Run a command of wavecast on this data folder."""
    variables = {**os.environ, "WAVECAST_DATA": str(home), "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "pipeline.cli.main", *arguments]
    subprocess.run(command, cwd=ROOT, env=variables, check=True)


@contextmanager
def services(home: Path) -> Iterator[None]:
    """Run MLflow, Prefect and a worker, without recordings that would start a scheduled run."""
    ports = ["--mlflow-port", str(MLFLOW_PORT), "--prefect-port", str(PREFECT_PORT)]
    wavecast("up", *ports, home=home)
    try:
        yield
    finally:
        wavecast("down", home=home)


def answer(address: str, request: dict[str, Any] | None = None) -> Any:
    """Return the JSON answer of a server of this machine."""
    data = None if request is None else json.dumps(request).encode()
    asked = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=60) as found:
        return json.loads(found.read())


async def take_pictures(home: Path) -> None:
    """Open each page and save its picture."""
    (report,) = (home / "reports").iterdir()
    promotion = json.loads((report / "summary.json").read_text())["promotion"]
    comparison = json.loads((report / "tracking.json").read_text())["run_id"]
    (best,) = (
        json.loads(path.read_text())["run_id"] for path in home.glob("runs/*-autoregressive-*/tracking.json")
    )
    of_run = answer(f"{MLFLOW}/api/2.0/mlflow/runs/get?run_id={best}")["run"]["info"]
    runs = f"{MLFLOW}/#/experiments/{of_run['experiment_id']}/runs"
    newest = {"limit": 1, "sort": "START_TIME_DESC"}
    flow = answer(f"{PREFECT}/api/flow_runs/filter", newest)[0]["id"]
    version = f"{MLFLOW}/#/models/{promotion['name']}/versions/{promotion['version']}?{TRAINING_PAGES}"
    async with browser() as page:
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=NO_ASSISTANT)
        await page.open(f"{runs}?{TRAINING_PAGES}", ("demo: comparison",), 700)
        await page.value(EXPAND)
        await page.wait("document.body.innerText.includes('lstm 83')")
        await page.save(IMAGES / "mlflow-runs.png")
        await page.open(f"{runs}?{TRAINING_PAGES}&compareRunsMode=CHART", ("demo: comparison",), 1300)
        await page.wait("document.querySelector('.js-plotly-plot')")
        await page.save(IMAGES / "mlflow-charts.png")
        await _description(page, f"{runs}/{comparison}?{TRAINING_PAGES}", "mlflow-comparison.png", 1250)
        await _description(page, f"{runs}/{best}?{TRAINING_PAGES}", "mlflow-run.png", 1250)
        await page.open(version, ("Decision", "below FLAC"), 1000)
        await page.save(IMAGES / "mlflow-version.png")
        await page.open(f"{PREFECT}/runs/flow-run/{flow}", ("report demo",), 1000)
        await page.save(IMAGES / "prefect-run.png")


async def _description(page: Browser, address: str, name: str, height_px: int) -> None:
    """Save the page of a run with its whole description."""
    await page.open(address, ("Description",), height_px)
    await page.value(SHOW_MORE)
    await page.wait("true")
    await page.save(IMAGES / name)


def main() -> None:
    """Start the services, train, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="data folder to be kept (default: a temporary one)")
    chosen = parser.parse_args().data
    with tempfile.TemporaryDirectory(prefix="wavecast-pictures-") as scratch:
        home = (chosen or Path(scratch)).absolute()
        from pipeline.data.demo_corpus import make_demo_corpus

        recordings = make_demo_corpus(home / "demo" / "speech")
        with services(home):
            inputs = f"corpus.inputs=[{recordings}]"
            api = f"{PREFECT}/api"
            wavecast("run", str(SETTINGS), "--set", inputs, home=home, PREFECT_API_URL=api)
            asyncio.run(take_pictures(home))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
