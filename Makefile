# Everything a developer runs. `make help` tells what there is.
#
# Environments are made by scripts/environment.py with nothing but Python and pip,
# and only when what they are made of has changed.

PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= logical
ARGS    ?=
ID      ?=

BIN := $(VENV)/bin
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make requirements" ../$(BIN)/uv pip compile --quiet \
	--universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-annotate \
	$(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help setup setup-lowest setup-protos run test test-lowest lint format types \
	protos protos-check executions stateful fuzz soak examples bench bench-peers \
	mutants torture requirements wheel clean

help: ## tell what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 24

run: setup ## bring up three connected collectors and run the scenarios in scenarios/mesh
	@$(BIN)/collector-harness run scenarios/mesh $(ARGS)

test: setup ## run the tests in parallel; ARGS="-k routing" narrows, WORKERS=4 widens
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# What depends on no library's age is left out (the verdicts, the samples, the pages, the packages, how
# processes end), the cards, which quote the words of the newest gRPC, and what needs the compiler of
# protos, an extra.
LOWEST := tests/contract tests/collector tests/harness tests/plugin scenarios/mesh \
	--ignore=tests/harness/conformance --ignore=tests/collector/registry/test_etcd_store.py \
	--ignore=tests/harness/test_sandbox.py --ignore=tests/harness/scenario/cards \
	--ignore=tests/plugin/test_endings.py \
	--ignore=scenarios/mesh/35_types.scenario.yaml

test-lowest: setup-lowest ## run the tests on the oldest dependencies that are promised
	@.venv-lowest/bin/python -m pytest -n $(WORKERS) --dist worksteal $(LOWEST) $(ARGS)

lint: setup ## check the form
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## repair the form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup ## check the types, and that the public interface is annotated
	@$(BIN)/mypy
	@$(BIN)/python scripts/check_public_types.py

protos: setup-protos ## generate the contract's code from protos/
	@.venv-protos/bin/python scripts/generate_protos.py

protos-check: setup-protos ## compare the contract's code with protos/
	@.venv-protos/bin/python scripts/generate_protos.py --check

executions: setup ## dispatch thousands of times while everything breaks; CALLS=100000 widens
	@EXECUTIONS=$(or $(CALLS),10000) $(BIN)/python -m pytest -q -rP tests/collector/dispatch/test_executions.py

stateful: setup ## drive meshes by random operations against a model; EXAMPLES=1000 widens, SEED=7 repeats
	@seed=$(or $(SEED),$$$$); echo "seed $$seed"; STATEFUL_EXAMPLES=$(or $(EXAMPLES),200) \
		$(BIN)/python -m pytest -q --hypothesis-seed=$$seed tests/proofs/test_stateful.py

fuzz: setup ## send a collector what nobody should send; SECONDS=60 for less, ARGS="--seed 7" repeats
	@$(BIN)/python scripts/fuzz.py --seconds $(or $(SECONDS),600) $(ARGS)

soak: setup ## load and faults, and then what has grown; MINUTES=60 widens
	@$(BIN)/python scripts/soak.py --minutes $(or $(MINUTES),10) $(ARGS)

examples: setup ## verify the collectors in other languages on everything
	@EXAMPLES_WHOLE=1 $(BIN)/python -m pytest -q tests/examples $(ARGS)

stress: setup ## run all scenarios again and again, shuffled, with every core busy; MINUTES=30
	@$(BIN)/python scripts/stress.py --minutes $(or $(MINUTES),30) $(ARGS)

bench: setup ## measure against bare gRPC; ID=P3 runs one
	@$(BIN)/python -m benchmarks $(ID)

bench-peers: setup setup-peers ## measure against Tavern, in an environment of its own
	@$(BIN)/python -m benchmarks P15 $(ARGS)

mutants: setup ## run each mutant against the whole suite; goes on where it was ended; JOBS=4
	@$(BIN)/python tests/mutants/matrix.py -j $(or $(JOBS),2) $(ARGS)
	@$(BIN)/python scripts/generate_mutants_page.py

torture: setup ## kill a collector during registrations, 500 times; ROUNDS=50 runs fewer
	@$(BIN)/python scripts/torture.py --rounds $(or $(ROUNDS),500) $(ARGS)

requirements: setup ## pin the requirements again; UPGRADE=1 takes the latest
	@cd requirements && $(COMPILE) ../pyproject.toml dev.in -o dev.txt
	@cd requirements && $(COMPILE) --resolution lowest-direct ../pyproject.toml tests.in -o lowest.txt
	@cd requirements && $(COMPILE) protos.in -o protos.txt
	@cd requirements && $(COMPILE) peers.in -o peers.txt
	@cd requirements && $(COMPILE) --constraint dev.txt deploy.in -o deploy.txt

wheel: setup ## build the wheel and the source distribution into dist/
	@$(BIN)/python -m hatchling build

setup: ## make .venv, which every target does when it must
	@$(PYTHON) scripts/environment.py $(VENV) requirements/dev.txt --project

setup-lowest:
	@$(PYTHON) scripts/environment.py .venv-lowest requirements/lowest.txt --project

setup-protos:
	@$(PYTHON) scripts/environment.py .venv-protos requirements/protos.txt

setup-peers:
	@$(PYTHON) scripts/environment.py .venv-peers requirements/peers.txt

clean: ## remove what was made here
	rm -rf .venv .venv-lowest .venv-protos .venv-peers dist build
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
