# One virtual environment, one command a job. PYTHON picks the interpreter for a new environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo install install-timm test test-all check bench constraints clean

help:
	@echo "make demo       the whole job on virtual patients, in one command; writes ecglens-demo/"
	@echo "make test       install what the fast tests need and run them (no torch)"
	@echo "make check      ruff, mypy --strict, import-linter and the fast tests with coverage"
	@echo "make test-all   every test, slow ones too, with ecglens[timm] (torch, about 5.5 GB)"
	@echo "make bench      speed against other routes, with ecglens[bench]"
	@echo "make constraints  renew constraints.txt from the newest releases"
	@echo "make clean      remove the virtual environment and caches"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.timm: $(VENV)/.dev
	$(PIP) install --constraint constraints.txt --editable '.[dev,timm]'
	@touch $@

demo: $(VENV)/.base
	$(BIN)/ecglens demo
	@echo "The commands above need the environment: . $(BIN)/activate"

install: $(VENV)/.dev

install-timm: $(VENV)/.timm

test: install
	$(BIN)/python -m pytest -m "not slow"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

test-all: install-timm
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=95

bench: $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/speed.py

constraints:
	$(PYTHON) -m venv $(VENV)-new
	$(VENV)-new/bin/python -m pip --quiet install --editable '.[dev,timm,bench]'
	$(VENV)-new/bin/python -m pip freeze --exclude-editable > constraints.txt
	rm -rf $(VENV)-new

clean:
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
