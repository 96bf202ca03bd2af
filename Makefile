# One virtual environment, one command a job. PYTHON picks the interpreter for a new environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Tests run on all cores, four at most: a worker takes about a gigabyte. WORKERS=0 uses none.
WORKERS ?= auto
SPREAD := -n $(WORKERS) --maxprocesses=4 --dist=loadfile
PYTEST := $(BIN)/python -m pytest $(SPREAD)

# Tools of the supply chain live apart: what they need must not decide what the package gets.
TOOLS := $(VENV)-tools
COMPILE := $(TOOLS)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet

.PHONY: help demo install install-timm test test-slow test-all test-lowest test-wheel check bench \
	constraints lock dist sbom audit lint-workflows clean

help:
	@echo "make demo       the whole job on virtual patients, in one command; writes ecglens-demo/"
	@echo "make test       install what the fast tests need and run them (no torch)"
	@echo "make check      ruff, mypy --strict, import-linter and the fast tests with coverage"
	@echo "make test-all   every test, slow ones too, with ecglens[timm] (torch, about 5.5 GB)"
	@echo "make test-slow  what 'make check' leaves out, with ecglens[timm]; coverage of both together"
	@echo "make bench      speed against other routes, with ecglens[bench]"
	@echo "make test-lowest  the fast tests with the lowest versions that pyproject.toml allows"
	@echo "make test-wheel   the fast tests with the built wheel alone, without src/"
	@echo "make constraints  renew constraints.txt from the newest releases"
	@echo "make lock       renew locks/, the pinned versions with hashes; then commit them"
	@echo "make sbom       build/ecglens.cdx.json: what an installation brings, as CycloneDX"
	@echo "make audit      ask a public database for known vulnerabilities (needs a network)"
	@echo "make lint-workflows  check .github/workflows"
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
	$(PYTEST) -m "not slow"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not slow" --cov --cov-report=term

test-all: install-timm
	$(PYTEST) --cov --cov-report=term --cov-fail-under=95

# Once 'make check' has run: nothing is run twice, and no line is covered by neither.
test-slow: install-timm
	$(PYTEST) -m slow --cov --cov-append --cov-report=term --cov-fail-under=95

bench: $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python benchmarks/speed.py

constraints:
	$(PYTHON) -m venv $(VENV)-new
	$(VENV)-new/bin/python -m pip --quiet install --editable '.[dev,timm,bench]'
	$(VENV)-new/bin/python -m pip freeze --exclude-editable > constraints.txt
	rm -rf $(VENV)-new

$(TOOLS)/.tools: locks/tools.txt
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement locks/tools.txt
	@touch $@

lock: $(TOOLS)/.tools
	$(COMPILE) pyproject.toml --constraint constraints.txt --output-file locks/base.txt
	$(COMPILE) pyproject.toml --constraint constraints.txt --extra dev --output-file locks/dev.txt
	$(COMPILE) --group supply --upgrade --output-file locks/tools.txt

# The wheel is built from the unpacked sdist, so that both are whole.
dist: $(TOOLS)/.tools
	rm -rf dist
	$(TOOLS)/bin/python -m build --no-isolation
	$(TOOLS)/bin/python tools/distributions.py dist

test-wheel: dist
	rm -rf build/wheel && mkdir -p build/wheel/tree
	tar -xzf dist/ecglens-*.tar.gz -C build/wheel/tree --strip-components=1 --exclude='*/src/*'
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes --requirement locks/dev.txt
	build/wheel/venv/bin/python -m pip --disable-pip-version-check --quiet install --no-deps dist/ecglens-*.whl
	cd build/wheel/tree && env -u PYTHONPATH ../venv/bin/python -m pytest $(SPREAD) -m "not slow"

# Warnings of old releases are not ours to mend.
test-lowest: $(TOOLS)/.tools
	rm -rf build/lowest && mkdir -p build/lowest
	$(TOOLS)/bin/uv pip compile pyproject.toml --extra test --resolution lowest-direct --python-version 3.11 \
		--no-annotate --no-header --quiet --output-file build/lowest/requirements.txt
	$(TOOLS)/bin/uv venv --quiet --python 3.11 build/lowest/venv
	$(TOOLS)/bin/uv pip install --quiet --python build/lowest/venv --requirement build/lowest/requirements.txt
	$(TOOLS)/bin/uv pip install --quiet --python build/lowest/venv --no-deps --editable .
	build/lowest/venv/bin/python -m pytest $(SPREAD) -m "not slow" -W default

sbom: $(TOOLS)/.tools
	@mkdir -p build
	$(TOOLS)/bin/cyclonedx-py requirements locks/base.txt --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file build/ecglens.cdx.json

audit: $(TOOLS)/.tools
	@echo "This asks the package registry. What it cannot be asked of, as without a network, fails too."
	$(TOOLS)/bin/pip-audit --strict --require-hashes --disable-pip --requirement locks/dev.txt

lint-workflows: $(TOOLS)/.tools
	$(TOOLS)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(TOOLS)/bin/zizmor --offline --quiet .github/workflows

clean:
	rm -rf $(VENV) $(TOOLS) build dist .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
