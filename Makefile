.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Every version is the one in constraints.txt, so that no day decides what is installed; `make lock` writes it anew.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip uv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
		--editable . --group dev
	@touch $@

setup: .venv/installed  ## create .venv with everything in it

census: setup  ## set up, and cook a workflow that reads the whole Python standard library
	$(BIN)/prodigy cook workflows/census.yaml --param python=$(PYTHON)

lint: setup  ## ruff
	$(BIN)/ruff check prodigy tests bench workflows
	$(BIN)/ruff format --check prodigy tests bench workflows

types: setup  ## mypy, strict
	$(BIN)/mypy

test: setup  ## the tests
	$(BIN)/python -m pytest -n auto

quick: lint types  ## what must hold before a commit: all but the tests that start whole runs
	$(BIN)/python -m pytest -n auto --ignore tests/end_to_end --ignore tests/workflows --ignore tests/bench

lock: setup  ## write constraints.txt anew, with the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --upgrade --no-header --no-annotate --output-file constraints.txt \
		pyproject.toml --group dev --group setup

versions: setup  ## the quick tests with the lowest and newest versions allowed, and on the newest Python here
	.ci/versions

mutants: setup  ## plant bugs and list those that no test notices: make mutants SHARD=1/8 SAMPLE=500 PARTS=prodigy/kernel
	$(BIN)/python -m tests.mutants $(if $(SHARD),--shard $(SHARD)) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(if $(BUDGET),--budget $(BUDGET)) $(PARTS)

bench: setup  ## how fast it is, beside what others take (about 40 minutes)
	.ci/peers
	$(BIN)/python -m bench

bench-guard: setup  ## count the system calls, syncs and files of a step; fails where one has risen (WRITE=1 keeps them)
	@command -v strace >/dev/null || .ci/strace || true
	$(BIN)/python -m bench.guard $(if $(WRITE),--write)

check: lint types test  ## everything that must hold

.PHONY: help setup census lint types test quick lock versions mutants bench bench-guard check
