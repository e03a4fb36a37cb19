# Each target sets up .venv by itself; no logic lives here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_LOCK := requirements/run.txt
DEV_LOCK := requirements/dev.txt
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install

.PHONY: run setup test check bench sim teeth strategy-report pictures format lock clean

run: setup  ## trade on paper: the whole house in the foreground, Ctrl-C ends it
	@exec $(BIN)/icryptotrader run

setup: $(VENV)/.run  ## prepare .venv with the locked dependencies and both commands

test: $(VENV)/.dev check  ## everything: linter, types, import rules, all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile -m "not house"
	@# Real processes keep real time limits: they do not compete with the rest for the machine.
	$(BIN)/python -m pytest -n 2 --dist loadfile -m house

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## each path beside its floor, as ratios measured in one run
	@for file in book bus tick ledger backtest; do echo; $(BIN)/python tests/bench/bench_$$file.py; done

sim: $(VENV)/.dev  ## the house in virtual time under faults; a fault never injected is a failure
	$(BIN)/icryptotrader sim-test --seeds 1:301 --profile storm --jobs 2 --coverage

teeth: $(VENV)/.dev  ## which seed notices each bug that is put in; rewrites tests/simulation/teeth.txt
	$(BIN)/python -m tests.simulation.hunt

strategy-report: $(VENV)/.run  ## the strategy over real histories, DAYS=n for a part of each half
	$(BIN)/icryptotrader strategy-report ../shared/data/market --out var/strategy-report --jobs 2 $(if $(DAYS),--days $(DAYS))

pictures: $(VENV)/.dev  ## the README's pictures, of a real paper house in a real browser
	$(BIN)/python -m tests.e2e.pictures docs/img

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.run: $(RUN_LOCK) pyproject.toml
	@echo "Preparing $(VENV) (once; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "iCryptoTrader needs Python 3.11 or newer: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes --only-binary :all: -r $(RUN_LOCK)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run $(DEV_LOCK)
	@$(PIP) --require-hashes --only-binary :all: -r $(DEV_LOCK)
	@touch $@

lock:  ## rewrite the locks from pyproject.toml; needs `uv` on the PATH
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate pyproject.toml -o $(RUN_LOCK)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --extra dev -c $(RUN_LOCK) pyproject.toml -o $(DEV_LOCK)

clean:
	rm -rf $(VENV) build *.egg-info
