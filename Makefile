# make demo: the embedded environment, the whole suite, the report.  make test: the tests of the suite itself.
PYTHON ?= python3
BIN := .venv/bin
# Where this is set, every process that a test starts compiles the suite anew.
export PYTHONDONTWRITEBYTECODE :=
READY := .venv/installed

.PHONY: demo test lint clean lock

demo: $(READY)
	$(BIN)/soc2 demo run

test: lint
	$(BIN)/pytest tests --numprocesses 2 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Resolves the dependencies anew; the only step that asks a package index which versions exist.
lock: $(READY)
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate -o requirements.lock pyproject.toml

clean:
	rm -rf .venv build reports .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

# The lock file pins every package with its hashes, so pip need not resolve anything.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@echo "Installing the pinned dependencies into .venv (the first time takes a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
