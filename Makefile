# Two commands: `make test` checks everything, `make demo` shows it. Both need git, make and a
# Python >= 3.11, and put all else (node and npm too) into a virtual environment of their own.
#
#   PYTHON=…        the interpreter to build it with
#   REQUIRE_ALL=1   a skipped test is a failure
#   HEADLESS=1      the demo opens no window
#   WATCH=1         the front end is bundled again at each change
#   JOBS=2          tests at a time
#   SECONDS=60      seconds of each fuzz target

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test demo frontend lint unit js notebooks browser live lowest fuzz hostile mutants bench soak vibex format env clean begin

VENV ?= .venv
JOBS ?= 2
SECONDS ?= 60
BIN := $(abspath $(VENV))/bin
VAR := $(abspath $(VENV))/var
READY := $(VENV)/.ready
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)

SOURCES := vibe_notebook tests tools $(wildcard benchmarks)
NODE_MODULES := node_modules/.ready
BIOME := node_modules/.bin/biome

export PATH := $(BIN):$(PATH)
export VIBE_SUMMARY := $(VAR)/summary.txt
# node and uv trust what the machine trusts, as pip does.
export NODE_USE_SYSTEM_CA ?= 1
ifneq ($(filter-out 0,$(REQUIRE_ALL)),)
export VIBE_REQUIRE_ALL := 1
endif

# Tests get an empty home of their own: nobody's Jupyter settings change what they see, and they
# work where the real one cannot be written to.
HOMELESS := env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME \
	-u IPYTHONDIR -u JUPYTER_CONFIG_DIR -u JUPYTER_DATA_DIR -u JUPYTER_RUNTIME_DIR HOME=$(VAR)/home
PYTEST = VIBE_SECTION=$@ $(HOMELESS) $(BIN)/python -m pytest
SUMMARY := $(BIN)/python -m tools.summary

# The tests that use the packages the most, and are quick.
LOWEST := $(addprefix tests/,magics/test_options.py magics/test_targets.py markdown/test_markdown.py \
	projects/test_publish.py remote/test_follow.py remote/test_secrets.py server/test_app.py \
	server/test_connections.py server/test_guard.py server/test_stream.py)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: begin lint unit js notebooks browser ## lint and every test; ends with one summary
	@$(SUMMARY) print

demo: $(READY) ## open the demo notebook in JupyterLab
	$(BIN)/python -m vibe_notebook.cli demo $(if $(filter-out 0,$(HEADLESS)),--headless)

frontend: $(READY) $(NODE_MODULES) ## bundle the front end (WATCH=1: again at each change)
	@$(BIN)/node tools/frontend.js $(if $(filter-out 0,$(WATCH)),--watch)

lint: $(READY) $(NODE_MODULES) ## ruff, mypy, import-linter; biome and tsc for the front end
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(HOMELESS) $(BIN)/mypy $(SOURCES)
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/node $(BIOME) check --error-on-warnings
	@$(BIN)/node node_modules/.bin/tsc --project .
	@$(SUMMARY) note lint passed

unit: $(READY) ## unit and property tests
	@$(PYTEST) -n $(JOBS) -m "not browser and not notebooks" $(ARGS)

js: $(READY) $(NODE_MODULES) ## the front end's tests
	@$(BIN)/python -m tools.js_tests

notebooks: $(READY) ## run every notebook, and the tests that need a kernel
	$(if $(wildcard notebooks/*.ipynb),@VIBE_NOTEBOOK_RENDERER=static $(PYTEST) -p tests.conftest -p no:xdist --nbval-lax --nbval-current-env notebooks)
	$(if $(wildcard tests/notebooks/test_*.py),@$(PYTEST) tests/notebooks)

browser: $(READY) ## the tests in a real browser
	$(if $(wildcard tests/browser/test_*.py),@VIBE_CHROMIUM="$$($(BIN)/python -m tools.chromium)" $(PYTEST) tests/browser)

live: $(READY) ## run every SDK for real, offline, in its lowest and its newest version (SDKS="agno openai" for some)
	@$(BIN)/python -m tools.live $(SDKS)

lowest: $(READY) ## a part of the tests with the lowest version of each direct dependency
	@$(BIN)/python -m tools.lowest $(VENV)/lowest
	@$(HOMELESS) $(abspath $(VENV))/lowest/bin/python -m pytest -q -n $(JOBS) $(or $(ARGS),$(LOWEST))

fuzz: $(READY) ## property tests and state machines, 20,000 examples each, then each atheris target for SECONDS=60 (ARGS="tests/test_fuzz.py" for some; SECONDS=0: no target)
	@VIBE_HYPOTHESIS=fuzz $(PYTEST) -n $(JOBS) --timeout=0 -m "hypothesis and not browser and not notebooks" $(ARGS)
ifneq ($(SECONDS),0)
	@$(MAKE) --no-print-directory $(VENV)/.fuzz
	@$(BIN)/python -m tools.fuzz --seconds $(SECONDS)
endif

hostile: $(READY) ## every hostile text, in a real browser too; other runs try a quarter of them
	@VIBE_HOSTILE=all $(PYTEST) -n $(JOBS) tests/hostile
	@VIBE_HOSTILE=all VIBE_CHROMIUM="$$($(BIN)/python -m tools.chromium)" $(PYTEST) tests/browser/test_hostile_corpus.py

mutants: $(READY) $(VENV)/.mutants ## faults made in the core by mutmut, and those that no test notices (ARGS="vibe_notebook.registry._retention.*" for some)
	@VIBE_HYPOTHESIS=mutants $(HOMELESS) $(BIN)/mutmut run --max-children $(JOBS) $(ARGS)
	@$(BIN)/mutmut results

bench: $(READY) $(VENV)/.bench vibex ## measure, ours and the others side by side; takes an hour (ARGS="streams" for one section)
	@VIBE_CHROMIUM="$$($(BIN)/python -m tools.chromium)" $(BIN)/python -m benchmarks $(ARGS)

soak: $(READY) $(VENV)/.bench ## ten million events through one registry; takes a quarter of an hour (ARGS="--events 100000 --dry" for some)
	@$(BIN)/python -m benchmarks.soak $(ARGS)

vibex: $(VENV)/vibex/.ready ## the origin's own server, for the test that follows it (1.4 GB)

format: $(READY) $(NODE_MODULES) ## ruff's and biome's formatters and their safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/node $(BIOME) check --write

env: $(READY) $(NODE_MODULES) ## only make the environment

clean: ## remove what these targets made
	rm -rf $(VENV) .fuzz mutants node_modules build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

begin: $(READY)
	@$(SUMMARY) begin

# Others' packages stay out of the environment that the tests run in: with 200 dependencies, one of
# them a top-level package named "tests", vibex has one of its own.
$(VENV)/.bench: pyproject.toml | $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group pyproject.toml:bench
	@touch $@

$(VENV)/.fuzz: pyproject.toml | $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group pyproject.toml:fuzz
	@touch $@

$(VENV)/.mutants: pyproject.toml | $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group pyproject.toml:mutants
	@touch $@

$(VENV)/vibex/.ready: | $(READY)
	@$(BIN)/python -m tools.vibex $(VENV)/vibex
	@touch $@

# Candidates are run, not only looked up: a pyenv shim exists for versions that are not installed.
$(READY): pyproject.toml tools/environment.py
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" tools/environment.py $(VENV); \
		fi; \
	done; \
	echo "error: no Python 3.11 or newer among: $(PYTHONS). Name one: make PYTHON=/path/to/python3" >&2; exit 1

$(NODE_MODULES): package.json package-lock.json | $(READY)
	@npm_config_cache=$(VAR)/npm $(BIN)/npm ci --ignore-scripts
	@touch $@
