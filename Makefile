# Every target needs only Python 3.11+ and make. `install` makes .venv and brings uv into it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
export ORT_DISABLE_TELEMETRY := 1

.PHONY: install install-dev demo run check test test-real test-extras bench docs lock clean

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: $(UV) requirements.lock pyproject.toml
	$(UV) pip sync --quiet --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	rm -f $(VENV)/.dev && touch $@

$(VENV)/.dev: $(UV) requirements-dev.lock pyproject.toml
	$(UV) pip sync --quiet --python $(BIN)/python requirements-dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $(VENV)/.run $@

install: $(VENV)/.run
install-dev: $(VENV)/.dev

demo: $(VENV)/.run
	$(BIN)/sre-agent demo $(DEMO_ARGS)

run: $(VENV)/.run
	$(BIN)/sre-agent serve

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/house

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not real and not extras" $(PYTEST_ARGS)

test-real: $(VENV)/.dev
	bash .ci/real $(PYTEST_ARGS)

test-extras: $(VENV)/.dev
	bash .ci/extras

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev
	$(BIN)/python -m docs.generate

lock: $(UV)
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) data .mypy_cache .ruff_cache .pytest_cache
