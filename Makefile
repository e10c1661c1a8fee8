# Everything is kept inside this folder: .uv/ (the installer), .venv/ (the libraries), .demo/ (what the demo writes).
# Paths below are relative on purpose: the folder's own path may contain spaces.

PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { echo "$$candidate"; break; }; done)
UV := UV_CACHE_DIR="$(CURDIR)/.uv/cache" TMPDIR="$(CURDIR)/.uv/tmp" .uv/bin/uv
PYTEST := .venv/bin/python -m pytest
EVERYDAY := not slow and not campaign
ONCE_FLAG := $(if $(filter-out 0 no false,$(ONCE)),--once)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check campaign clean

help: ## show this list
	@echo "cshub: Chorus, Salesforce and Totango kept in step, on Apache Airflow."
	@echo
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done
	@echo
	@echo "  make demo ONCE=1     end after the first syncs; the exit status says whether they were green"
	@echo "  make demo ARGS=...   more options of the demo, such as ARGS='--port 9090 --keep-data'"
	@echo "  make test ARGS=...   more options of pytest, such as ARGS='tests/core -x'"
	@echo "  make campaign ONLY=rebuild   one campaign; ARGS=--list shows them, ARGS=--help the rest"
	@echo "  make setup PYTHON=/path/to/python3.12     use this Python (3.11, 3.12 or 3.13)"

setup: .venv/.stamp ## install everything into this folder; start nothing

demo: .venv/.stamp ## start the sandbox and Airflow, run the first syncs, stay up until Ctrl-C
	@.venv/bin/python -m cshub_runtime demo $(ONCE_FLAG) $(ARGS)

test: .venv/.stamp ## run all tests (some minutes; they start a real PostgreSQL and a real Airflow)
	$(PYTEST) -m "$(EVERYDAY)" -n 2 --dist loadgroup $(ARGS)

check: .venv/.stamp ## format, lint, types, import rules and the fast tests, in under a minute
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/python -m mypy
	.venv/bin/lint-imports
	$(PYTEST) tests/core tests/deploy -m "$(EVERYDAY)" -n 2 --dist loadgroup -q $(ARGS)

campaign: .venv/.stamp ## run the reliability campaigns and write docs/reliability.md (hours; ONLY=name runs one)
	.venv/bin/python -m tests.campaigns $(ONLY) $(ARGS)

clean: ## remove everything the other commands have put here (not while a demo runs)
	rm -rf .uv .venv .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .campaign

.venv/.stamp: pyproject.toml uv.lock .uv/.stamp
	@echo "Installing the libraries into .venv/ (about 600 MB)"
	@$(UV) sync --locked --no-python-downloads --quiet --python "$(PYTHON)"
	@touch $@

.uv/.stamp:
	@test -n "$(PYTHON)" || { echo "cshub needs Python 3.11, 3.12 or 3.13, and none was found." \
		"Install one, or name it: make $(firstword $(MAKECMDGOALS) setup) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
		echo "$(PYTHON) does not run or is not Python 3.11, 3.12 or 3.13. Name another one: PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) lacks the modules venv and ensurepip." \
		"On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up in $(CURDIR) with $$("$(PYTHON)" --version)"
	@mkdir -p .uv/tmp
	@TMPDIR="$(CURDIR)/.uv/tmp" "$(PYTHON)" -m venv .uv
	@TMPDIR="$(CURDIR)/.uv/tmp" .uv/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check "uv>=0.13,<0.14"
	@touch $@
