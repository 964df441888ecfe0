"""The web server of the pages, on this machine alone.

Belongs here: the address, and the static pages that a night has beside its tables. Must not be
here: what the pages show. `python -m dashboards` runs it; settings that concern the look stand in
`.streamlit/config.toml` beside this file.
"""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from streamlit.starlette import App

from dashboards.night import BESIDE, FOLDER, NightError, current, published_folder

HOST = "127.0.0.1"
PORT = 8501

#: What must hold whatever the settings of the machine say.
CONFIG = {
    "server.address": HOST,
    "server.headless": True,
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": False,
    "browser.serverAddress": HOST,
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",
    "global.developmentMode": False,
    "logger.level": "warning",
}


async def beside(request: Request) -> Response:
    """Serve a static page that the night readers see has beside its tables."""
    name = request.path_params["name"]
    try:
        file = current(published_folder()).folder / FOLDER / name
    except NightError as error:
        return PlainTextResponse(str(error), status_code=404)
    if name not in BESIDE or not file.is_file():
        return PlainTextResponse("The night shown has no such page.", status_code=404)
    # A night is switched under the same address: never show yesterday's.
    return FileResponse(file, media_type="text/html", headers={"Cache-Control": "no-store"})


async def first(request: Request) -> Response:
    """Lead to the first page, whose address is the root, whoever asks for it by its name."""
    return RedirectResponse(request.url.replace(path="/"))


def application() -> App:
    """Return the pages and what is served beside them."""
    return App(
        Path(__file__).with_name("app.py"),
        routes=[Route("/beside/{name}", beside), Route("/today", first)],
    )
