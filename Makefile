# `make run` sets everything up and runs both pipelines; `make test` sets everything up and passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: install run test check viz docs clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

install: $(VENV)/installed

run: install
	$(BIN)/kedro run

test: install
	$(BIN)/pytest --cov --cov-report=term:skip-covered --cov-fail-under=85 --durations=30

check: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

viz: install
	$(BIN)/kedro viz run

# The API reference, from the docstrings: build/api/index.html, which needs no network.
docs: $(VENV)/docs-installed
	$(BIN)/python -W ignore::UserWarning:pdoc.doc_types -m pdoc --docformat google --output-directory build/api medpipe

$(VENV)/docs-installed: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) data/.medpipe data/.work data/.schedule data/0*/* mlflow.db mlruns
