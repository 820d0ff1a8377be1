# Every command of the project's own work. `make` alone lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .uv/bin/uv
UV_VERSION := 0.13.9
LOCK := requirements/all.lock
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
KERNELS := $(sort $(wildcard features/kernel/*.py features/catalog/*.py) $(shell grep -rl --include='*.py' numba features training))
HISTORY := var/simulated
LEADS ?= 20000
# Of the timing benchmark: structure seeds, and leads of the logs that are learned from.
SEEDS ?= 0-9
SIZES ?= 5000,20000
# Tests by what they need: nothing but Python, or databases, processes, whole runs and the documents.
UNIT := tests/architecture tests/unit tests/spec tests/property tests/mutation
INTEGRATION := tests/integration tests/e2e tests/simulation tests/docs tests/crash tests/attack
# Of `make coverage`: what runs with the machine code, and what runs again without it.
TESTS ?= tests
KERNEL_TESTS ?= tests/spec tests/unit/compute tests/unit/sources tests/unit/models/test_trees.py
# What machine code wraps round in silence, as hashes mean it to, NumPy wraps round with a warning.
WRAPS := -W "ignore:overflow encountered in scalar:RuntimeWarning"

export UV_PYTHON_DOWNLOADS := never
# Trust what the machine trusts, where it has a store: companies' proxies sign with their own roots.
export UV_SYSTEM_CERTS := $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem),true,false)
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export OMP_WAIT_POLICY := PASSIVE
# Where bytecode is forbidden, every start of Python would compile anew what it imports: seconds each.
export PYTHONDONTWRITEBYTECODE :=
# A machine without libgomp borrows the copy that scikit-learn ships; see the target `native`.
export LD_LIBRARY_PATH := $(if $(LD_LIBRARY_PATH),$(LD_LIBRARY_PATH):)$(CURDIR)/$(VENV)/lib/native

# A file at a time on every core; the libraries inside take one thread each.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

.PHONY: help setup run serve test test-fast test-unit test-integration test-slow coverage check format hooks
.PHONY: docs docs-site docs-serve
.PHONY: bench bench-timing crash attack mutants lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

$(UV): requirements/uv.lock
	@echo "• fetching uv"
	@$(PYTHON) -c 'import sys; sys.exit("Baton needs Python 3.11 or newer; this is %d.%d. Name one: make PYTHON=python3.12" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@touch $(UV)

$(INSTALLED): $(UV) $(LOCK) pyproject.toml
	@echo "• installing the locked dependencies into $(VENV) (about a minute the first time)"
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK)
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || $(MAKE) --no-print-directory native
	@touch $(INSTALLED)

# numba notices a change of a kernel's own file, not of a file it calls into: so on any change all
# machine code is made anew.
$(READY): $(INSTALLED) $(KERNELS)
	@echo "• compiling the kernels (half a minute, once)"
	@find features training \( -name '*.nbi' -o -name '*.nbc' \) -delete
	@$(BIN)/python -m training.warm
	@touch $(READY)

.PHONY: native
native: # a machine without libgomp: lightgbm asks for it, scikit-learn brings one
	@mkdir -p $(VENV)/lib/native
	@ln -sf "$$(ls $(CURDIR)/$(VENV)/lib/python3*/site-packages/scikit_learn.libs/libgomp-*.so* | head -1)" $(VENV)/lib/native/libgomp.so.1 2>/dev/null || true

setup: $(READY) ## Make the environment: virtual environment, locked dependencies, compiled kernels

$(HISTORY)/history.json: | $(READY)
	@echo "• no company data yet: making a market of $(LEADS) leads whose truth is known"
	@$(BIN)/baton simulate --to $(HISTORY) --leads $(LEADS) --seed 7

var/champion/manifest.json: $(HISTORY)/history.json | $(READY)
	@test -e $@ || { echo "• training on it"; $(BIN)/baton train $(HISTORY); }

run: var/champion/manifest.json ## Set up, train on a simulated market, and serve on http://127.0.0.1:8000
	@$(BIN)/baton serve

serve: $(READY) ## Serve the champion that is there
	@$(BIN)/baton serve

test: $(READY) ## Run the tests that prove the product, as CI does
	@$(PYTEST) -m "not release"

test-fast: $(READY) ## Run the tests of single modules and of the guards, but not the slow ones: before each commit
	@$(PYTEST) -m "not slow and not release" $(UNIT) $$($(BIN)/python -m tests.mutation.list_tests $(UNIT))

test-unit: $(READY) ## Run the tests of single modules, of features by their specs, of properties and of the architecture
	@$(PYTEST) -m "not release" $(UNIT)

test-integration: $(READY) ## Run what needs databases, processes or documents, but not the slow ones
	@$(PYTEST) -m "not slow and not release" $(INTEGRATION)

test-slow: $(READY) ## Run the slow tests, those of a release, and the properties on many more examples: before a release
	@$(PYTEST) -m "slow or release"
	@HYPOTHESIS_PROFILE=night $(PYTEST) tests/property

coverage: $(READY) ## Measure branch coverage (TESTS=tests/unit for a part); the kernels run once more without machine code
	@rm -f var/coverage/data*
	@mkdir -p var/coverage
	@OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest -q -n logical --dist loadfile -m "not slow and not release" $(TESTS)
	@NUMBA_DISABLE_JIT=1 OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest -q -n logical --dist loadfile $(WRAPS) -m "not slow and not release" $(KERNEL_TESTS)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage html --quiet
	@$(BIN)/python -m coverage report

check: $(READY) ## Check format, lint, import contracts and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

format: $(READY) ## Format the code and mend what lint can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

hooks: $(READY) ## Let git call make before a commit (check) and before a push (test-fast)
	@$(BIN)/pre-commit install --hook-type pre-commit --hook-type pre-push

docs: $(READY) ## Write the manual of features from the catalogue and its specs
	@$(BIN)/python -m tests.spec.manual

$(VENV)/.docs: $(READY) requirements/docs.lock
	@echo "• installing what builds the site of the documentation (Sphinx)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/docs.lock
	@touch $@

docs-site: $(VENV)/.docs ## Build the documentation into var/site; a warning, a broken link or anything fetched from elsewhere fails
	@$(BIN)/python -m sphinx -b html -c docs/sphinx -d var/sphinx --fail-on-warning --keep-going --quiet docs var/site
	@$(BIN)/python -m docs.sphinx.check_site var/site
	@echo "• var/site/index.html"

docs-serve: docs-site ## Build the documentation and serve it on http://127.0.0.1:8001
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory var/site 8001

$(VENV)/.bench: $(READY) requirements/bench.lock
	@echo "• installing what the kernel is measured against (DuckDB, Polars)"
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/bench.lock
	@touch $@

bench: $(VENV)/.bench ## Measure: the feature job against others, one lead in process and over HTTP, start-up
	@$(BIN)/python -m benchmarks

bench-timing: $(READY) ## Measure the best moment to hand off beside other policies, on many made-up markets
	@$(BIN)/python -m benchmarks.timing --seeds $(SEEDS) --sizes $(SIZES)

crash: $(READY) ## Kill servers, workers and the database under load, and count what was lost
	@$(BIN)/python -m tests.crash

attack: $(READY) ## Attack a server of one's own, on the loopback alone: what faults, takes too long or too much is found
	@$(BIN)/python -m tests.attack

mutants: $(READY) ## Take out one guard after the other in a copy of the tree: a quick test must fail of each
	@$(BIN)/python -m tests.mutation $(if $(ONLY),--only '$(ONLY)')

lock: $(UV) ## Resolve the dependencies anew (hashes, no index address)
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 pyproject.toml --extra server --extra train --group test -o requirements/all.lock
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 pyproject.toml --extra server -o requirements/server.lock
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 --group bench -c requirements/all.lock -o requirements/bench.lock
	@$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --python-version 3.11 --group docs -c requirements/all.lock -o requirements/docs.lock

clean: ## Throw away what was made: environment, simulated market, bundles
	@rm -rf $(VENV) .uv var .mypy_cache .ruff_cache .pytest_cache
	@find mlruns -mindepth 1 ! -name README.md -delete
