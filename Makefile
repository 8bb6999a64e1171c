# Two commands matter to a newcomer: `make demo` and `make test`. Each sets up what it needs.
PYTHON ?= python3
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .tools/bin/uv)
BIN := .venv/bin
READY := .venv/.ready
# A bare environment (env -i) has no certificate variables, and uv must not fetch interpreters.
export UV_SYSTEM_CERTS ?= true
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE ?= copy
# Every matrix here is small: threads inside BLAS only get in each other's way.
export OPENBLAS_NUM_THREADS ?= 1
OUT ?= out

.DEFAULT_GOAL := help
.PHONY: help env demo test check slow bench docs lock clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(READY)  ## create or refresh .venv from the hash-pinned lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(0 if sys.version_info >= (3, 11) else f"eventtape needs Python 3.11 or newer, found {v}; set PYTHON=")'
	@[ "$(UV)" != .tools/bin/uv ] || [ -x .tools/bin/uv ] || $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools uv
	@rm -f $@
	@[ -x $(BIN)/python ] || $(UV) venv --quiet --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## election night 2024 into out/report.html (real data, else fetched, else simulated)
	$(BIN)/eventtape demo --out $(OUT)

test: $(READY)  ## the test suite (under ten minutes on two cores)
	$(BIN)/pytest -n auto --dist loadfile

check: $(READY)  ## formatting, lint, types, import rules, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory docs

docs: $(READY)  ## HTML documentation in docs/_build, warnings are errors
	$(BIN)/sphinx-build --quiet -W --keep-going -b html docs docs/_build/html

slow: $(READY)  ## the long simulation studies behind the statistical claims
	$(BIN)/pytest -m slow --override-ini addopts="--strict-markers" tests

bench: $(READY)  ## one table a claim: time, peer, ratio, and what was equal
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

lock:  ## resolve again and write requirements.lock
	$(UV) lock --upgrade
	$(UV) export --quiet --no-header --no-emit-project --group dev --all-extras -o requirements.lock

clean:  ## remove the environment and everything generated
	rm -rf .venv .tools out lake docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
