# Countersign. `make` lists the commands. Each one sets up what it needs: Python >= 3.11, git and make are enough.

# The interpreters to try, first come first served; PYTHON=/path/to/python names one.
PYTHON  ?= python3 python3.13 python3.12 python3.11
# Test processes beside each other.
WORKERS ?= 2
# Further arguments: make run ARGS=--fresh, make lock ARGS=--upgrade.
ARGS    ?=
# Those of the crash tests wait for most of their time.
CRASH_WORKERS ?= $(shell expr 2 \* $(WORKERS))

BIN := .venv/bin

# Settings of the caller's shell that would reach into the environment made here.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test tests check lint types layers dependencies schema browser frameworks shots crash torture bench lock clean

help:  ## list these commands
	@awk -F ':.*  ## ' '/^[a-z]+:.*  ## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

run: .venv/ok  ## start the product with sample data and print its address
	@$(BIN)/countersign demo $(ARGS)

test: check tests browser crash  ## run every check and every test

tests: .venv/ok  ## run the tests alone
	@$(BIN)/pytest -n $(WORKERS) --ignore=tests/acceptance --ignore=tests/browser --ignore=tests/crash
	@$(BIN)/pytest tests/acceptance

check: lint types layers dependencies schema  ## run every check alone

lint: .venv/ok  ## check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/ok  ## check types
	@$(BIN)/mypy

layers: .venv/ok  ## check that imports point one way
	@$(BIN)/lint-imports --no-logo

dependencies: .venv/ok  ## check that every dependency is declared and used
	@$(BIN)/deptry --no-ansi .

schema: .venv/ok  ## check that the migrations make the tables that the code describes
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && export COUNTERSIGN_DATABASE_URL="sqlite:///$$dir/check.db" && \
		$(BIN)/countersign migrate >/dev/null && $(BIN)/alembic check

frameworks: .venv/ok .venv-frameworks/ok  ## test the cheqpoint tools for LangChain, LangGraph and CrewAI (1 GB of packages)
	@$(BIN)/pytest -n $(CRASH_WORKERS) tests/cheqpoint/frameworks.py

.venv-frameworks/ok: tests/cheqpoint/frameworks.lock .venv/ok
	@rm -rf .venv-frameworks && $(BIN)/python -m venv .venv-frameworks
	@echo "Installing the frameworks into .venv-frameworks (some minutes) ..."
	@.venv-frameworks/bin/python -m pip install -qq --require-hashes -r tests/cheqpoint/frameworks.lock
	@touch $@

# By itself: the tests before have event loops of their own, which the browser's driver does not bear in its process.
browser: .venv/ok .chromium  ## drive the pages with clicks and keys in a real browser
	@$(BIN)/pytest tests/browser

shots: .venv/ok .chromium  ## take a picture of every page and state into shots/
	@$(BIN)/pytest -q tests/browser/shots.py
	@echo "The pictures are in shots/."

.PHONY: .chromium
.chromium:
	@for name in "$$COUNTERSIGN_TEST_BROWSER" chromium chromium-browser google-chrome google-chrome-stable chrome; do \
		command -v "$$name" >/dev/null 2>&1 && exit 0; \
	done; \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Chromium ..." && \
		{ apt-get install -qq -y chromium >/dev/null 2>&1 || { apt-get update -qq && apt-get install -qq -y chromium >/dev/null; }; } || \
		{ echo >&2 "$(no_browser)"; exit 1; }

no_browser := No Chromium was found and none could be installed: install one (Debian: apt install chromium), or name its \
	program in COUNTERSIGN_TEST_BROWSER.

crash: .venv/ok  ## kill, freeze and starve the product for some minutes
	@$(BIN)/pytest -n $(CRASH_WORKERS) tests/crash

torture: .venv/ok  ## kill, freeze and starve the product for hours: ARGS="--torture 3 -k sqlite" for minutes
	@$(BIN)/pytest -p no:randomly -o faulthandler_timeout=0 -m torture --torture 40 tests/crash $(ARGS)
	@test -n "$(ARGS)" || COUNTERSIGN_TORTURE=1 $(BIN)/pytest -n $(WORKERS) -o faulthandler_timeout=0 \
		tests/statemachine tests/faults

bench: .venv/ok  ## measure: one JSON line per figure
	@$(BIN)/python -m benchmarks $(ARGS)

# The two main locks are solved together; neither names a registry, so any mirror serves.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(ARGS)

lock: .venv/ok  ## solve the dependencies again and write the locks
	@$(COMPILE) pyproject.toml --extra demo --group dev --output-file requirements-dev.lock
	@$(COMPILE) pyproject.toml --constraint requirements-dev.lock --output-file requirements.lock
	@$(COMPILE) --group build --constraint requirements-dev.lock --output-file deploy/build.lock
	@$(COMPILE) --group frameworks --output-file tests/cheqpoint/frameworks.lock

clean:  ## remove the environment, caches and build products; var/ is kept
	rm -rf .venv .venv-frameworks build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: whatever fails before leaves the work to the next call.
.venv/ok: pyproject.toml requirements-dev.lock
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(make_environment); }
	@echo "Installing the pinned packages into .venv (a minute or so on the first run) ..."
	@$(BIN)/python -m pip install -qq --require-hashes -r requirements-dev.lock || { echo >&2 "$(install_failed)"; exit 1; }
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "The environment is ready."

# An interpreter that was removed since leaves a broken link behind: then the stamp means nothing.
$(shell test -x $(BIN)/python || rm -f .venv/ok)

define make_environment
	problem="Python 3.11 or newer was not found: install it, or name it with make PYTHON=/path/to/python."; \
	for python in $(PYTHON); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || { problem="$$python $(no_venv)"; continue; }; \
		echo "Making .venv with $$("$$python" --version) ..."; \
		"$$python" -m venv --clear .venv && break; \
		problem="$$python could not make .venv, see its message above."; rm -rf .venv; \
	done; \
	test -x $(BIN)/python || { echo >&2 "$$problem"; exit 1; }
endef

no_venv := cannot make virtual environments: install its venv module (Debian: apt install python3-venv).
install_failed := The packages could not be installed, see the message of pip above: connect to the network if it was \
	not reached, install a compiler (Debian: apt install build-essential python3-dev) if one is missing, then run make again.
