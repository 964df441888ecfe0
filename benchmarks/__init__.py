"""How the product behaves as a company grows: sizes, phases, peers; ratios and growth exponents.

Belongs here: what is measured, at which sizes and against what. Must not be here: tests (a time
depends on the machine and is printed, never asserted), anything the product itself imports.
`python -m benchmarks` runs all of it; `docs/scale.md` says what came out and what it means.
"""
