# Everything a developer does here, one word each; `make help` lists them. CI calls the same words.
SHELL  := /bin/sh
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: help setup run test lint fix bench recount docs screenshots lock clean

help: ## list these words
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

# Two environments in one folder: what running needs, and on top of it what developing needs.
# Both come from a lock file whose hashes are checked.
$(VENV)/.run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Landed needs Python 3.11 or newer. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $(VENV) (once; about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

# Plivo's SDK for Node, for the tests of the local carrier; without npm or a network they are skipped.
$(VENV)/.node: tests/node/package.json tests/node/package-lock.json | $(VENV)/.dev
	@mkdir -p $(VENV)/node && cp $^ $(VENV)/node
	@if command -v npm >/dev/null && (cd $(VENV)/node && \
	    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-timeout=30000 >/dev/null); \
	  then touch $@; else echo "Without Plivo's SDK for Node: its tests will be skipped"; fi

setup: $(VENV)/.dev ## make the environment, nothing else

run: $(VENV)/.run ## start Landed with simulated traffic on its own database, and say where to look
	@$(BIN)/landed demo

# Tests run real servers against the clock. What fails while all cores are busy is tried once more with the machine to
# itself; what fails then, fails. Both are told. Fault tests have no second run: a rare failure is what they look for.
# Files go to the cores in their order, which has the thousands of short tests last: they fill what the long ones leave.
test: $(VENV)/.dev $(VENV)/.node ## run all tests
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 4 $(ARGS) || \
	  { [ $$? = 1 ] && \
	  ! grep -q tests/faults/ .pytest_cache/v/cache/lastfailed && \
	  echo "Once more, those that failed, one after the other:" && \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS); }

chaos: $(VENV)/.dev ## 10,000 messages through a carrier that misbehaves; SEED=7 MESSAGES=500 repeats or shortens it
	@SEED=$${SEED:-$$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')} MESSAGES=$${MESSAGES:-10000} \
	  $(BIN)/python -m pytest -s tests/end_to_end/test_chaos.py $(ARGS)

lint: $(VENV)/.dev ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(VENV)/.dev ## mend what the style checks can mend by themselves
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure the budgets of docs/benchmarks.md on this machine
	@$(BIN)/python -m benchmarks $(ARGS)

recount: $(VENV)/.dev ## count every figure of analytics anew from a million messages (20 minutes)
	@$(BIN)/python -m benchmarks.recount $(ARGS)

docs: $(VENV)/.dev ## write the generated parts of docs/ (settings, commands, error codes)
	@$(BIN)/python -m landed.docs

screenshots: $(VENV)/.dev ## pictures of all pages from the demo, in build/screenshots and docs/overview.png (needs Chromium)
	@$(BIN)/python -m tests.browser.screenshots

# What is less than two weeks old is left alone: a bad release is mostly found and withdrawn by then.
LOCK = $(BIN)/python -m uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate --quiet --upgrade \
  --exclude-newer $$($(BIN)/python -c 'import datetime as d; print(d.date.today() - d.timedelta(days=14))')

lock: $(VENV)/.dev ## choose newer versions within the ranges of pyproject.toml
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	@$(LOCK) --extra parquet --group build -o requirements.lock
	@$(LOCK) --extra parquet --group build --group dev -o requirements-dev.lock

clean: ## remove the environment and what tools left behind
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
