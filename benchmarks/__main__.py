"""Command line: all benchmarks, or those named, at the sizes given.

python -m benchmarks [NAME ...] [--sizes 1000,10000] [--folder DIR]
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

#: Modules, each with `SIZES` and `run`. Imported when they are run: a process that is measured
#: imports this one too, and what it imports would count.
BENCHMARKS = ("revenue", "people", "scoring")

Benchmark = Callable[[Sequence[int], Path], Iterator[str]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run benchmarks and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join(BENCHMARKS))
    parser.add_argument("--sizes", type=_sizes, help="accounts, such as 1000,10000")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"no benchmark {sorted(unknown)}; there are {', '.join(BENCHMARKS)}")
    for name in asked.names or BENCHMARKS:
        module = importlib.import_module(f"benchmarks.{name}")
        benchmark: Benchmark = module.run
        with tempfile.TemporaryDirectory(dir=asked.folder, prefix=f"{name}-") as folder:
            for line in benchmark(asked.sizes or module.SIZES, Path(folder)):
                print(line, flush=True)


def _sizes(text: str) -> list[int]:
    sizes = [int(size) for size in text.split(",")]
    if min(sizes) < 1 or len(set(sizes)) < len(sizes):
        raise argparse.ArgumentTypeError(f"sizes must be positive and differ: {text}")
    return sizes


if __name__ == "__main__":
    main()
