"""`python -m dashboards [--port 8501]`: serve the pages on 127.0.0.1 until interrupted."""

from __future__ import annotations

import argparse
import importlib

from dashboards.server import CONFIG, HOST, PORT, application


def main() -> None:
    """Serve the pages."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"port on {HOST} (default {PORT})")
    port = parser.parse_args().port
    # What draws takes a second to load: else the first reader waits for it.
    importlib.import_module("dashboards.charts")
    print(f"Pages on http://{HOST}:{port} (stop with Ctrl-C)", flush=True)
    application().run(config={**CONFIG, "server.port": port})


if __name__ == "__main__":
    main()
