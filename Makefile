# `make demo` and `make test` need only Python 3.11 to 3.13 and make: the rest is installed into .venv.
PYTHON ?= python3
CORPUS ?=
BIN := .venv/bin

.PHONY: demo test study setup check audit docs screenshots lock clean

setup: .venv/installed

# Exact versions with hashes come from requirements.lock; the marker makes a second call a no-op.
.venv/installed: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "wavecast needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/wavecast demo $(if $(CORPUS),--corpus "$(CORPUS)")

# Under 30 seconds: what to run before each commit.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .github/audit/audit.py
	$(BIN)/pytest --quiet tests/test_imports.py tests/test_layout.py

# Under 4 minutes; the two modules that are left out belong to `make check`.
test: setup
	$(BIN)/pytest --numprocesses 2 --dist loadfile --ignore tests/test_imports.py --ignore tests/test_layout.py

# The study of the paper in a small form, on synthetic speech: less than three minutes of one core.
study: setup
	folder=$$(mktemp -d) && trap 'rm -r "$$folder"' EXIT && \
		$(BIN)/python -m pipeline.data.demo_corpus "$$folder/speech" && WAVECAST_DATA="$$folder/data" \
		$(BIN)/wavecast study "$$folder/speech" --rates 1 --seeds 1 --budget 30s --set train.device=cpu

# Known vulnerabilities of the locked versions, by the list in the repository; SECURITY.md states how to refresh it.
audit: setup
	$(BIN)/python .github/audit/audit.py

# The site in site/; a broken link or an unknown reference is an error.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Pictures of the pages in docs/images, from small trainings with real servers; needs Chromium.
screenshots: setup
	$(BIN)/python docs/screenshots

# After changing dependencies in pyproject.toml. The lock names no index, so it works behind any.
lock: setup
	$(BIN)/uv pip compile pyproject.toml --extra demo --extra dev --extra docs --extra export --extra s3 --extra hf --extra dask --extra postgresql --extra tune --universal --generate-hashes --no-header --no-annotate --quiet --output-file requirements.lock

clean:
	rm -rf .venv site
