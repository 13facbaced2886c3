PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

SEEDS ?= 2000

.PHONY: run test coverage check simulate bench docs clean

run: $(STAMP)
	$(BIN)/liveorder run --config examples/liveorder.toml --signals examples/signals.jsonl --until-idle

test: $(STAMP)
	$(BIN)/pytest -n auto

coverage: $(STAMP)
	$(BIN)/pytest -n auto --cov --cov-report=term --cov-report=html

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python dev/check_wheel.py
	$(BIN)/python -m tests.simulation --seeds 2000

simulate: $(STAMP)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks

docs: $(STAMP)
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv build dist htmlcov .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

$(STAMP): pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
