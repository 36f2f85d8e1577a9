# Each command sets itself up: a virtual environment in .venv (of test-oldest: .venv-oldest), and what it needs.
#
#   make demo   train the quick preset on drawn flowers (4 to 14 minutes on 2 CPU cores)
#   make test   check style and layout, and run the test suite
#   make test-oldest   run it with the oldest TensorFlow and Keras that are supported
#   make lint   check style and layout alone
#   make types  check the type hints
#   make bench  measure speed beside that of others (half an hour to an hour; PyTorch is installed for it)

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Two processes that share the files of tests, in the order that tests/conftest.py gives them.
IN_TWO := --numprocesses 2 --dist loadscope --no-loadscope-reorder

# That there are packages of TensorFlow for it: up to 3.$(1).
check_python = $(PYTHON) -c "import sys; sys.exit(None if (3, 10) <= sys.version_info[:2] <= (3, $(1)) \
	else 'Python 3.10 to 3.$(1) is needed: make PYTHON=python3.12')"

.PHONY: demo test test-oldest lint types bench

demo: .venv/package
	$(BIN)/wgan-gp train

test: lint
	$(BIN)/python -m pytest $(IN_TWO) $(PYTEST_OPTIONS)

test-oldest: .venv-oldest/dev
	.venv-oldest/bin/python -m pytest $(IN_TWO) $(PYTEST_OPTIONS)

.venv-oldest/dev: requirements.txt requirements-dev.txt constraints-oldest.txt pyproject.toml
	@$(call check_python,12)
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --requirement requirements.txt \
		--requirement requirements-dev.txt --constraint constraints-oldest.txt
	@touch $@

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

# Not part of `make test`: a new release of somebody else's hints may not agree with ours.
types: .venv/dev
	$(BIN)/mypy

bench: .venv/bench
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/dataset.py
	$(BIN)/python benchmarks/decoding.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/exports.py
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/metrics.py

.venv/bench: .venv/dev benchmarks/requirements.txt
	$(PIP) --requirement benchmarks/requirements.txt
	@touch $@

.venv/dev: .venv/package requirements-dev.txt
	$(PIP) --requirement requirements-dev.txt
	@touch $@

.venv/package: requirements.txt pyproject.toml
	@$(call check_python,13)
	@echo "Installing TensorFlow and the rest into .venv; this takes a minute or more."
	$(PYTHON) -m venv .venv
	$(PIP) --requirement requirements.txt
	$(PIP) --editable . --no-deps
	@touch $@
