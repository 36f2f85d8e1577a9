# Both commands set themselves up: a virtual environment in .venv and what it needs.
#
#   make demo   train the quick preset on the embedded data (about 10 minutes on 2 CPU cores)
#   make test   check style and layout, and run the test suite

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint

demo: .venv/package
	$(BIN)/wgan-gp train

test: lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope $(PYTEST_OPTIONS)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

.venv/dev: .venv/package requirements-dev.txt
	$(PIP) --requirement requirements-dev.txt
	@touch $@

.venv/package: requirements.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(None if sys.version_info >= (3, 10) else \
		'Python 3.10 or newer is needed: make PYTHON=python3.12')"
	@echo "Installing TensorFlow and the rest into .venv; this takes a minute or more."
	$(PYTHON) -m venv .venv
	$(PIP) --requirement requirements.txt
	$(PIP) --editable . --no-deps
	@touch $@
