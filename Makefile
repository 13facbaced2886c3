# Where this is set every process compiles the whole source anew: the suite starts hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
# Two steps into one .venv: what `make run` needs, and on top of it what tests, checks, pages and measurements need.
INSTALLED := .venv/.installed
TOOLS := .venv/.tools
# Half of the time tests wait for processes and disks, so there are more workers than the two cores of a small machine.
WORKERS ?= 4
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist worksteal

KILLS ?= 10000
POSITION_KILLS ?= 2000
SEED ?= 1
SEEDS ?= 100000
# One of alpaca, kite and ibkr: the kill matrix over that broker's wire, with its adapter; empty: at the simulated broker.
BROKER ?=
MIRROR ?= var/mirror

.PHONY: run demo-redis house test storagefaults coverage check killmatrix killmatrix-positions killmatrix-slice simulate simulate-slice mutations bench docs site mirror clean

run: $(INSTALLED)
	$(BIN)/liveorder run --config examples/liveorder.toml --signals examples/signals.jsonl --until-idle

# Listens on a Redis server, trades at the simulated venue what a strategy sends there, and confirms it there.
demo-redis: $(TOOLS)
	$(BIN)/python examples/redis_demo.py

# Levels, imports between rooms, the way of an order, names with two meanings, idioms; fails above what was reached.
house: $(TOOLS)
	$(BIN)/python dev/house.py

test: $(TOOLS)
	$(PYTEST)

# Every call of the disk failing in turn, the power cut everywhere, every page damaged; `make test` has a sample of it.
storagefaults: $(TOOLS)
	LIVEORDER_TEST_SWEEP=1 $(PYTEST) -o faulthandler_timeout=1800 tests/storage

coverage: $(TOOLS)
	$(PYTEST) --cov --cov-report=term --cov-report=html --cov-report=json:var/coverage.json
	$(BIN)/python dev/coverage_figures.py var/coverage.json

check: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check
	$(BIN)/python dev/house.py
	$(MAKE) site
	$(BIN)/python dev/check_wheel.py
	$(BIN)/python dev/check_ib_async.py
	$(MAKE) killmatrix-slice simulate-slice

# Interrupted, it goes on where it was when it is run again with the same seed.
killmatrix: $(TOOLS)
ifeq ($(BROKER),)
	$(BIN)/python -m tests.crash.killmatrix --of orders --kills $(KILLS) --seed $(SEED) \
		--results var/killmatrix/seed-$(SEED).jsonl --page docs/reliability.md
	$(MAKE) killmatrix-positions KILLS=$(POSITION_KILLS)
	$(BIN)/python -m tests.storage.upgrade_campaign --page docs/reliability.md
else
	$(BIN)/python -m tests.crash.killmatrix --broker $(BROKER) --kills $(KILLS) --seed $(SEED) \
		--results var/killmatrix/$(BROKER)-$(SEED).jsonl --page docs/reliability-at-brokers.md
endif

# Exits, waits, transfers and the kill that closes; from 2,000 kills on, each of their boundaries at least 30 times.
killmatrix-positions: $(TOOLS)
	$(BIN)/python -m tests.crash.killmatrix --of positions --kills $(KILLS) --seed $(SEED) \
		--results var/killmatrix/positions-$(SEED).jsonl --page docs/reliability.md

killmatrix-slice: $(TOOLS)
	$(BIN)/python -m tests.crash.killmatrix --kills 400 --seed $(SEED)

# Each seed is one history; a failing one is told in its shortest form.
# So does this, as long as the code is the same.
simulate: $(TOOLS)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --results var/simulation/results.jsonl --page docs/reliability.md

simulate-slice: $(TOOLS)
	$(BIN)/python -m tests.simulation --seeds 1500

# Each setting and each field of a signal ignored, one after the other: its row in tests/effects must fail.
mutations: $(TOOLS)
	$(BIN)/python -m tests.effects

bench: $(TOOLS)
	$(BIN)/python -m benchmarks

# The pages that are drawn from the code, then the site of all of them, in var/docs/index.html.
docs: $(TOOLS)
	$(BIN)/python docs/generate.py
	$(MAKE) site

site: $(TOOLS)
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . var/docs

# The tree with `src` named `liveorder`, for tools that find a module by its path.
mirror:
	rm -rf $(MIRROR) && mkdir -p $(MIRROR)
	git ls-files -z --cached --others --exclude-standard ':!dev/liveorder' | xargs -0 cp --parents --target-directory=$(MIRROR)
	mv $(MIRROR)/src $(MIRROR)/liveorder

clean:
	rm -rf .venv build dist htmlcov var/docs var/mirror .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

$(INSTALLED): pyproject.toml setup.py constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(TOOLS): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@
