# Everything runs in .venv, made on first use from the hashed locks in requirements/.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
# The tests start hundreds of processes, each of which would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo serve test check docs prices fuzz soak bench bench-gate bench-profile agents lock clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(READY)  ## make .venv with a working setpoint command

$(READY): requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(READY)

demo: setup  ## the main job, end to end, on this machine
	$(BIN)/setpoint demo

serve: setup  ## the gateway on its defaults
	$(BIN)/setpoint serve

# Two at a time, and a file as a whole: the tests of one may share a gateway, and most start processes of their own.
test: setup  ## every test
	$(BIN)/python -m pytest -n auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder

check: setup  ## format, lint, types, the house's dependency rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports

docs: setup  ## write the pages that are made by the code
	PYTHONPATH=tests $(BIN)/python -m docs.translation_page

prices: setup  ## write the bundled prices anew
	PYTHONPATH=. $(BIN)/python -m tools.prices

fuzz: setup  ## a million changed bodies and streams through every pair of protocols; half an hour at most
	PYTHONPATH=tests $(BIN)/python -m fuzz.run

soak: setup  ## what takes too long for `make test`: bounded in time, goes on where it was ended, prints what it proved
	PYTHONPATH=tests $(BIN)/python -m soak.run $(SOAK)

bench: setup  ## what a request and an event cost, beside nginx and a bare relay; quicker with BENCH=--quick
	PYTHONPATH=tests $(BIN)/python -m bench.run $(BENCH)

bench-gate: setup  ## fail when a request or an event costs too much beside a bare relay
	PYTHONPATH=tests $(BIN)/python -m bench.gate

bench-profile: setup  ## where the time of a request and of an event goes
	PYTHONPATH=tests $(BIN)/python -m bench.profile $(BENCH)

agents: setup  ## Claude Code and Codex as they are, in front of every dialect
	PYTHONPATH=tests $(BIN)/python -m agents.run

lock: setup  ## write the hashed locks anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --system-certs --universal --generate-hashes --python-version 3.11 --no-header --extra server pyproject.toml -o requirements/server.txt
	$(BIN)/uv pip compile --quiet --system-certs --universal --generate-hashes --python-version 3.11 --no-header --extra server --group dev pyproject.toml -o requirements/dev.txt

clean:  ## remove what make made
	rm -rf .venv .pytest_cache .ruff_cache build dist
