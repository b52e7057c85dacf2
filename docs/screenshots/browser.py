"""Chromium without a window, driven over its debugging protocol: pages become small PNG files."""

import asyncio
import base64
import io
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from websockets.asyncio.client import ClientConnection, connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH_PX = 1440
COLOURS = 128
"""Colours of a picture. Pages have few, so that the files are small and look the same."""
LONGEST_WAIT_S = 90.0


class Browser:
    """One page of a browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the debugging protocol and return its result."""
        self._number += 1
        await self._connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(await self._connection.recv())
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    async def value(self, expression: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        found = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return found["result"].get("value")

    async def open(self, address: str, texts: tuple[str, ...], height_px: int) -> None:
        """Open a page in a window of this height, and wait until it shows all of these texts."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH_PX, height=height_px, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        await self.call("Page.navigate", url="about:blank")
        await self.call("Page.navigate", url=address)
        await self.wait(" && ".join(f"document.body.innerText.includes({json.dumps(t)})" for t in texts))

    async def wait(self, condition: str) -> None:
        """Wait until a JavaScript condition holds, and then until the page is drawn."""
        deadline = asyncio.get_running_loop().time() + LONGEST_WAIT_S
        while not await self.value(f"Boolean(document.body && {condition})"):
            if asyncio.get_running_loop().time() > deadline:
                text = await self.value("document.body.innerText")
                raise TimeoutError(f"{condition} never held; the page shows: {text}")
            await asyncio.sleep(0.5)
        await asyncio.sleep(3)

    async def save(self, path: Path) -> None:
        """Write the visible part of the page as a PNG file of few colours."""
        shot = await self.call("Page.captureScreenshot", format="png")
        picture = Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start a browser, and yield its page."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit(f"no browser is installed: install one of {', '.join(BROWSERS)}")
    with tempfile.TemporaryDirectory(prefix="wavecast-browser-", ignore_cleanup_errors=True) as folder:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        flags += ["--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
        process = await asyncio.create_subprocess_exec(
            program, *flags, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with connect(await _page_address(Path(folder)), max_size=None) as connection:
                page = Browser(connection)
                await page.call("Page.enable")
                yield page
        finally:
            process.terminate()
            await process.wait()


async def _page_address(folder: Path) -> str:
    """Return the address of the debugging protocol of the browser's first page."""
    import httpx

    note = folder / "DevToolsActivePort"
    while not note.exists() or not note.read_text().strip():
        await asyncio.sleep(0.1)
    port = note.read_text().split()[0]
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            pages = (await client.get(f"http://127.0.0.1:{port}/json/list")).json()
            for page in pages:
                if page["type"] == "page":
                    return str(page["webSocketDebuggerUrl"])
            await asyncio.sleep(0.1)
