# Everything a person or a machine does with this project. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# Two workers, a module to one of them, in the order of tests/conftest.py.
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder

export TENURE_HOME ?= $(CURDIR)
export DAGSTER_HOME := $(CURDIR)
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export RUNTIME__DLTHUB_TELEMETRY := false
export GX_ANALYTICS_ENABLED := false
export PYTHONPATH := $(CURDIR)

.PHONY: help
help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: ready
ready: $(READY)  ## make the virtual environment (.venv)

$(READY): requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found on PATH." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed; $(PYTHON) is $$("$(PYTHON)" --version). Set PYTHON=..." >&2; exit 1; }
	@echo "Making .venv (once; about half a minute)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements.lock
	@touch $(READY)

# A company's own accounts come from the environment or from tenure.env. Where neither names a source,
# the sample company is started: local servers that speak the vendors' own protocols.
.PHONY: sources
sources: $(READY)
	@$(BIN)/python -m sample_company start --unless-configured

.PHONY: nightly
nightly: sources  ## run the night: load, build, score, publish (AS_OF=2026-01-31 for another date)
	@$(BIN)/python -m orchestration.night $(if $(AS_OF),--as-of $(AS_OF))

.PHONY: dev
dev: sources  ## open the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/dagster dev -m orchestration.definitions -h 127.0.0.1 -p 3000

.PHONY: dashboard
dashboard: $(READY)  ## open the pages on http://127.0.0.1:8501 (PORT=8600 for another)
	@$(BIN)/python -m dashboards $(if $(PORT),--port $(PORT))

.PHONY: rollback
rollback: $(READY)  ## show readers the night before (TO=2026-01-31 for another)
	@$(BIN)/python -m publishing rollback $(if $(TO),--to $(TO))

.PHONY: metrics
metrics: $(READY)  ## ask metrics of the published night (METRICS=mrr,nrr_12m BY=metric_time__month; none: list them)
	@cd dbt_project && export DBT_TARGET=published TENURE_LAKE=$(TENURE_HOME)/lake \
		TENURE_WAREHOUSE=$(TENURE_HOME)/published/current/tenure.duckdb \
		&& ../$(BIN)/dbt --quiet parse --profiles-dir . \
		&& ../$(BIN)/mf $(if $(METRICS),query --metrics $(METRICS) $(if $(BY),--group-by $(BY)),list metrics)

.PHONY: test
test: $(READY)  ## run the tests
	@$(BIN)/python -m tests.browser
	@$(BIN)/python -m pytest $(TOGETHER)

# Apart from `test`, because counting makes every line of Python half as slow again.
.PHONY: coverage
coverage: $(READY)  ## run the tests and count the lines they reach; fails below 85 %
	@$(BIN)/python -m pytest $(TOGETHER) --cov --cov-report=term:skip-covered --cov-fail-under=85

# Types are checked by one core, SQL by two: together they wait for nothing.
.PHONY: lint
lint: $(READY)  ## check style, types, import rules and SQL
	@$(MAKE) -j 2 --output-sync=target lint-python lint-sql

.PHONY: lint-python
lint-python: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: lint-sql
lint-sql: $(READY)
	@! grep -rnE --include='*.sql' --exclude-dir=generic '^.{101,}' dbt_project/models dbt_project/tests \
		|| { echo "SQL lines above have more than 100 columns" >&2; exit 1; }
	@TENURE_LAKE=$(TENURE_HOME)/lake TENURE_WAREHOUSE=:memory: \
		$(BIN)/python -m tests.dbt.lint lint --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

.PHONY: chaos
chaos: $(READY)  ## kill the night in each of its phases and compare what is published
	@$(BIN)/python -m pytest -p no:cacheprovider -n 2 tests/chaos

.PHONY: truth
truth: $(READY)  ## compare three small sample companies and the large one with what really happened
	@$(BIN)/python -m pytest -p no:cacheprovider tests/scoring/simulations.py tests/sample_company/streamed_company.py
	@TENURE_TRUTH=three $(BIN)/python -m pytest -p no:cacheprovider tests/truth/test_*.py tests/truth/several_companies.py tests/truth/several_scores.py
	@TENURE_TRUTH=demo $(BIN)/python -m pytest -p no:cacheprovider tests/truth/test_*.py tests/truth/several_companies.py tests/truth/demo_scores.py tests/truth/demo_findings.py tests/truth/demo_planted.py tests/truth/page_of_numbers.py
	@test -e $(TENURE_HOME)/published/current || $(MAKE) nightly
	@$(BIN)/python -m pytest -p no:cacheprovider tests/truth/demo_pages.py

.PHONY: bench
bench: $(READY)  ## measure how time and memory grow with a company (SIZES=1000,10000 for other sizes)
	@$(BIN)/python -m benchmarks $(if $(SIZES),--sizes $(SIZES))

.PHONY: lock
lock: $(READY)  ## resolve the dependencies anew into requirements.lock
	@$(BIN)/uv pip compile --quiet --no-emit-index-url --generate-hashes --universal --python-version 3.11 \
		--extra dev pyproject.toml -o requirements.lock

.PHONY: clean
clean:  ## remove what runs have written (lake, warehouse, published nights, models, sample company)
	@test ! -x $(BIN)/python || $(BIN)/python -m sample_company stop --quiet || true
	@rm -rf lake warehouse published models .dagster .dlt-work .sample_company tenure.env dbt_project/target
