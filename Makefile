# Everything a newcomer or a contributor runs. Each target installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test bench crash soak queue leaks breakers year truth presence outages forecasts migrations audit faults canaries hostile controls properties check docs clean constraints

setup: $(STAMP) ## install into .venv, from hash-pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'snowload needs Python 3.11 or later; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q beast_dream_snow_loader
	@touch $(STAMP)

demo: setup ## a first load and a second one against the sandbox; needs no account
	@BIN=$(BIN) sh examples/demo.sh

test: setup check ## everything: checks, then the suite
	$(BIN)/python -m pytest -n logical --dist worksteal

bench: setup ## what takes time, measured; not part of the suite because machines differ
	$(BIN)/python -m pytest -m bench

crash: setup ## loads, replays and rollbacks ended at every input/output call, before and after it; takes hours
	$(BIN)/python -m tests.crash.sweep --devices 100 --batch 25
	$(BIN)/python -m tests.crash.sweep --devices 100 --batch 25 --points 1000 --power
	$(BIN)/python -m tests.crash.sweep --devices 1000 --points 1000
	$(BIN)/python -m tests.crash.sweep --devices 12 --sites 1 --story every
	$(BIN)/python -m tests.crash.planted
	$(BIN)/python -m tests.crash.io_errors
	$(BIN)/python -m tests.crash.late --trials 1000
	$(BIN)/python -m tests.crash.race --trials 200
	$(BIN)/python -m tests.crash.race --trials 200 --server
	$(BIN)/python -m tests.crash.cut_off --trials 100

MINUTES ?= 600
soak: setup ## 50,000 steps of whatever can happen, in any order; MINUTES=10 for a shorter one
	$(BIN)/python -m tests.crash.machine --steps 50000 --minutes $(MINUTES) --seed $(SEED)

queue: setup ## 10,000 queued writes, 100 kills and full disks while they are queued and sent; takes an hour
	$(BIN)/python -m tests.crash.queue_kills --devices 3400 --kills 100
	$(BIN)/python -m tests.crash.queue_kills --devices 340 --kills 100 --server

leaks: setup ## 1,000 loads in one process: its memory and open files do not grow; takes minutes
	$(BIN)/python -m tests.crash.leaks --runs 1000

SEED ?= 1
breakers: setup ## 100,000 random sequences of events: the circuit breaker does as its definition says; takes two minutes
	$(BIN)/python -m tests.operations.breaker_model --sequences 100000 --seed $(SEED)

year: setup ## a year in the life of a CMDB: 60 runs, 1,000 devices; SEED=7 for another one
	$(BIN)/python -m tests.scenarios.year --seed $(SEED)

truth: setup ## 10,000 small inventories under faults: exit 0 exactly when the CMDB is right
	$(BIN)/python -m tests.scenarios.truthfulness --seed $(SEED)

presence: setup ## 10,000 inventories read badly, and well: only what is gone is retired
	$(BIN)/python -m tests.presence.stories --seed $(SEED)

outages: setup ## 10,000 outages of UniFi: nothing is decided from memory
	$(BIN)/python -m tests.outages.stories --seed $(SEED)

forecasts: setup ## breaches warned of, and false alarms, on 4,000 made-up series; takes some minutes
	$(BIN)/python -m tests.analytics.forecasts --series 2000 --seed $(SEED)

migrations: setup ## from every earlier revision, killed at every statement: the old database or the new one
	$(BIN)/python -m tests.state.migration_kills

audit: setup ## 10,000 changes of an audit trail: each is noticed with a head kept elsewhere
	$(BIN)/python -m tests.audit.mutations --seed $(SEED)

faults: setup ## every fault at every step of a load, against docs/reference/faults.md; takes minutes
	$(BIN)/python -m tests.faults

canaries: setup ## 60 secrets through every command and every kind of failure: not a byte comes out; takes an hour
	$(BIN)/python -m tests.trust.canaries --seed $(SEED)

hostile: setup ## 100,000 values through the query builder, 10,000 names through every way out
	$(BIN)/python -m tests.trust.hostile --seed $(SEED)

controls: setup ## each control of docs/reference/asvs.md taken out in turn: its test fails; takes minutes
	$(BIN)/python -m tests.trust.controls

properties: setup ## what must hold for any input, with inputs drawn anew; SEED=7 for other ones; takes minutes
	$(BIN)/python -m pytest -n logical --hypothesis-profile=looking --hypothesis-seed=$(SEED) \
	  $$(grep -rlE 'from hypothesis import .*given' tests --include='test_*.py')

check: setup ## style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup ## regenerate the reference pages from the code
	$(BIN)/python -m tests.docs.reference --write

clean: ## remove what the other targets made
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

constraints: ## pin every dependency with hashes, for all supported Pythons
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --no-annotate --extra dev pyproject.toml -o constraints.txt
