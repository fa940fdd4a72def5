# Two commands for a newcomer: `make demo` and `make test`. Everything else is below them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: demo test test-long e2e drill soak soak-short lint format types layers package docs bench clean help

demo: $(READY)            ## run the FerroSIM campaign (20 + 60 trials) through Prefect and draw its report
	$(BIN)/zbo run ferrosim-curl

test: $(READY)            ## run the suite
	$(PYTEST) -n 2 --dist loadfile -m "not long and not drill and not e2e and not soak"

test-long: $(READY)       ## what takes longer than a minute
	$(PYTEST) -n 2 -m long

e2e: $(READY)             ## deployments from end to end: server, worker, webhook, kills (about 3 minutes)
	$(PYTEST) -n 2 -m e2e tests/e2e

drill: $(READY)           ## break a simulated instrument, and every process around it, in all ways (about 4 minutes)
	$(PYTEST) -n 2 --dist loadfile tests/drill

soak-short: $(READY)      ## 200 trials that everything befalls: kills, faults, a full disk, a server gone (under 3 minutes)
	$(PYTEST) -n 2 -rP -m soak -k short tests/soak

soak: $(READY)            ## the same with 2,000 trials (about half an hour)
	$(PYTEST) -n 2 -rP -m soak -k long tests/soak

lint: $(READY)            ## style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)          ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

package: $(READY)         ## build the wheel, install it into an empty environment away from the checkout, run it
	sh tests/package.sh

docs: $(READY)            ## build the documentation and the reference as a site
	$(BIN)/sphinx-build -E -W --keep-going -q -c docs/site -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

bench: $(READY)           ## every table of benchmarks/ (about 20 minutes)
	for table in benchmarks/*.py; do echo "== $$table"; $(BIN)/python -m benchmarks.$$(basename $$table .py) || exit 1; done

clean:                    ## remove what these commands made, the environment included
	rm -rf .venv build dist histories *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help:                     ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python {v[0]}.{v[1]} found; wanted 3.11 to 3.13 (choose with: make PYTHON=python3.12 ...)")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
