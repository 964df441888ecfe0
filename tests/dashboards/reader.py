"""A reader of the pages: opens them in a browser, reads figures and tables, sets filters.

Belongs here: how the pages are driven. Must not be here: what they ought to show.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Browser, Page

from tests.browser import Complaints, listen

ROOT = Path(__file__).resolve().parents[2]
#: A page is there when its script has ended and nothing old is shown any longer.
DONE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
#: Counts the scripts that have ended, so that what follows an action can be waited for.
COUNTED = """
window.ended = 0;
new MutationObserver(changes => {
    for (const change of changes) if (change.oldValue === 'running') window.ended += 1;
}).observe(document, {subtree: true, attributes: true, attributeOldValue: true,
                      attributeFilter: ['data-test-script-state']});
"""
WAIT_MS = 30_000
#: What Streamlit asks for first at the address of a page, before it asks at the root.
PROBED = ("/_stcore/health", "/_stcore/host-config")
#: The browser draws after the script has ended: nothing old is left, every chart has its marks, and
#: the page was the same when it was last looked at.
DRAWN = """() => {
    const main = document.querySelector('[data-testid="stMain"]');
    const charts = [...main.querySelectorAll('[data-testid="stVegaLiteChart"]')]
        .filter(chart => chart.offsetParent !== null);  // those behind a tab wait
    const size = main.innerHTML.length, before = window.sizeBefore;
    window.sizeBefore = size;
    return size === before && !main.querySelector('[data-stale="true"]')
        && charts.every(chart => chart.querySelector('canvas, svg.marks'));
}"""


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve the pages of an installation as `make dashboard` does; give their address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboards", "--port", str(port)]
    environment = {**os.environ, "TENURE_HOME": str(home)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server)
            yield address
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server of the pages ended before it answered"
        try:
            with urlopen(f"{address}/_stcore/health", timeout=5):  # its own address
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise AssertionError("the server of the pages did not answer within half a minute")


class Reader:
    """Somebody at a laptop who reads the pages at `address`."""

    def __init__(self, browser: Browser, address: str, scheme: str = "light") -> None:
        self.address = address
        context = browser.new_context(
            viewport={"width": 1366, "height": 768},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.page.add_init_script(COUNTED)
        self.complaints: Complaints = listen(self.page)

    def open(self, path: str) -> float:
        """Go to a page by its address; return the seconds until all of it is there."""
        begun = time.perf_counter()
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_function("window.ended > 0")
        self.wait()
        return time.perf_counter() - begun

    def turn_to(self, title: str) -> float:
        """Go to a page by the navigation; return the seconds until all of it is there."""
        link = self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=title)
        begun = time.perf_counter()
        if self.page.locator("h1").text_content() != title:
            self.after(link.click)
        return time.perf_counter() - begun

    def after(self, action: Callable[[], object]) -> None:
        """Do what makes the page be drawn anew, and wait until it is."""
        ended = self.page.evaluate("window.ended")
        action()
        self.page.wait_for_function(f"window.ended > {ended}")
        self.wait()

    def wait(self) -> None:
        """Wait until the page is drawn, its charts included."""
        self.page.wait_for_selector("h1")
        self.page.wait_for_selector(DONE)
        self.page.wait_for_function(DRAWN, polling=60)

    def figures(self) -> dict[str, tuple[str, str]]:
        """The figures of the page: label -> value and its note."""
        found = {}
        for cell in self.page.locator(".t-figure").all():
            note = cell.locator("small").all_text_contents()
            value = cell.locator("dd").text_content() or ""
            said = note[0] if note else ""
            label = (cell.locator("dt").text_content() or "").strip()
            found[label] = (value.removesuffix(said).strip(), said)
        return found

    def leads(self) -> list[str]:
        """The sentences that answer first."""
        return self.page.locator(".t-lead").all_text_contents()

    def rows(self, caption: str) -> list[list[str]]:
        """The cells of a table by what it is called, folded ones included."""
        table = self.page.locator(f'table[aria-label="{caption}"]').first
        return [
            [(cell or "").strip() for cell in row.locator("td").all_text_contents()]
            for row in table.locator("tbody tr").all()
        ]

    def unfold(self) -> None:
        """Open everything that is folded."""
        folded = self.page.locator("details:not([open]) > summary")
        # One that is open is not among them any longer.
        while folded.count():
            folded.first.click()
        self.wait()

    def choose(self, filter_: str, value: str) -> None:
        """Set a filter beside the page, by keyboard alone."""
        box = self.page.get_by_test_id("stSidebar").get_by_role("combobox", name=filter_)
        box.focus()
        box.press("ArrowDown")
        self.page.keyboard.type(value)
        self.page.get_by_role("option", name=value, exact=True).wait_for()
        self.after(lambda: self.page.keyboard.press("Enter"))

    def alerts(self) -> list[str]:
        """Notices and errors on the page."""
        return self.page.get_by_test_id("stAlert").all_text_contents()

    def broken(self) -> list[str]:
        """What is broken on the page, and what the browser complained of, so far."""
        exceptions = self.page.get_by_test_id("stException").all_text_contents()
        refused = [
            url for url in self.complaints.refused if not re.sub(r"\?.*", "", url).endswith(PROBED)
        ]
        errors = [text for text in self.alerts() if "Traceback" in text or "make nightly" in text]
        return [
            *exceptions,
            *errors,
            *self.complaints.console,
            *refused,
            *self.complaints.elsewhere,
        ]

    def picture(self, path: Path) -> None:
        """Keep what the page looks like, whole."""
        main = "document.querySelector('[data-testid=\"stMain\"]').scrollHeight"
        height = int(self.page.evaluate(main))
        self.page.set_viewport_size({"width": 1366, "height": min(height + 40, 8000)})
        self.wait()
        # Charts draw themselves anew at the new size.
        self.page.wait_for_timeout(300)
        self.page.screenshot(path=str(path))
        self.page.set_viewport_size({"width": 1366, "height": 768})
