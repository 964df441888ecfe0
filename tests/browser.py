"""A browser without a screen, for tests of pages.

python -m tests.browser    # fetch one where the machine has none

Belongs here: finding Chromium, driving it, what it complained of. Must not be here: what a page
shows. No test is skipped where no browser is found: it fails and says what to install.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from playwright.sync_api import Error as PlaywrightError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
REMEDY = (
    "No Chromium was found, so the pages cannot be tried. Install one: `apt-get install chromium`, "
    "or `.venv/bin/python -m playwright install chromium` (fetches playwright's own), or set "
    "TENURE_BROWSER to the program."
)


@dataclass
class Complaints:
    """What a browser met that it should not.

    Attributes:
        console: errors and warnings of the console, and uncaught exceptions.
        elsewhere: requests to any host but this machine.
        refused: answers of 400 and above, by address.
    """

    console: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def _installed() -> str | None:
    named = os.environ.get("TENURE_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


def fetch() -> None:
    """Fetch a browser where the machine has none: the distribution's for root, else playwright's.

    What cannot be fetched is left to the tests, which say what to install.
    """
    if _installed():
        return
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        ways.insert(0, ["sh", "-c", "apt-get update -q && apt-get install -qy chromium"])
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return
    print("No Chromium on this machine: fetching one for the tests of pages (once)", flush=True)
    # Whether it worked is judged by what is there, not by what an installer says.
    any(subprocess.run(way, check=False, capture_output=True).returncode == 0 for way in ways)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser; the machine's own, else the one that playwright has fetched."""
    found = _installed()
    # Chromium refuses its sandbox to root, and containers often have no other user.
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=arguments)
        except PlaywrightError as error:
            raise AssertionError(f"{REMEDY} ({str(error).splitlines()[0]})") from error
        try:
            yield browser
        finally:
            browser.close()


def listen(page: Page) -> Complaints:
    """Collect what a page complains of, from now on."""
    complaints = Complaints()

    def request(made: Request) -> None:
        address = urlsplit(made.url)
        if address.scheme not in {"data", "blob"} and address.hostname != "127.0.0.1":
            complaints.elsewhere.append(made.url)

    def console(message: ConsoleMessage) -> None:
        # What was refused is listed by its address below.
        if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
            complaints.console.append(message.text)

    page.on("request", request)
    page.on("console", console)
    page.on("pageerror", lambda error: complaints.console.append(str(error)))
    page.on("websocket", lambda socket: _check_socket(socket.url, complaints))
    page.on(
        "response",
        lambda answer: complaints.refused.append(answer.url) if answer.status >= 400 else None,
    )
    return complaints


def _check_socket(url: str, complaints: Complaints) -> None:
    if urlsplit(url).hostname != "127.0.0.1":
        complaints.elsewhere.append(url)


def screenshots(otherwise: Path) -> Path:
    """Return where to keep screenshots: TENURE_SCREENSHOTS, else the folder given."""
    folder = Path(os.environ.get("TENURE_SCREENSHOTS") or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    fetch()
