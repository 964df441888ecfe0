"""sqlfluff as `make lint` runs it: `python -m tests.dbt.lint lint dbt_project/models`.

Belongs here: how the linter is run. Must not be here: what it looks for, which `.sqlfluff` says.
"""

from __future__ import annotations

import gc

from sqlfluff.cli.commands import cli

# What a file is parsed into stays until the file is done. Looking for garbage in it again and again
# took two fifths of the time. Each worker imports this module anew, so it is said outside main.
gc.set_threshold(200_000, 100, 1_000)

if __name__ == "__main__":
    try:
        cli()
    finally:
        # The pool of workers gives its semaphores back when it is collected.
        gc.collect()
