# make venv    the environment .venv from envs/lock.txt, with `whichloss` in it (GPU=1: and NVIDIA's libraries)
# make demo    a whole study on synthetic images, in minutes (MORE=FILE lays a further study file over it)
# make quick   after each edit: linters, types, the unit tests without TensorFlow, dry runs; up to 90 seconds
# make test    all tests this machine can run; make test-unit, test-workflow, test-system for a tier of them
# make test-slow  those that take an hour or more: the demo while its processes are killed
# make test-jax  the losses on the JAX backend of Keras (installs JAX beside the environment)
# make lint    formatting, lint and types
# make benchmark  all comparisons with MIScnn, a quarter of an hour; writes docs/performance.md
# make lock    resolve the dependencies again (needs uv)

# The newest Python that runs and is supported (a name on the path may be an empty shim).
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
# Further wheels for NVIDIA GPUs: make venv GPU=1; an environment that has them keeps them when it is made again.
GPU ?= $(if $(wildcard $(VENV)/.with-gpu),1)
LOCKS := envs/lock.txt $(if $(GPU),envs/lock-cuda.txt)
COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --fork-strategy fewest \
	--custom-compile-command "make lock"

.PHONY: help venv demo quick test test-unit test-workflow test-system test-slow test-jax lint format generated benchmark lock clean

help:
	@sed -n 's/^# make /make /p' Makefile

# An environment without them is made again, however new it is.
$(VENV)/.installed: $(LOCKS) $(if $(GPU),$(if $(wildcard $(VENV)/.with-gpu),,other-wheels))
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
		echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@test ! -L $(VENV) || { echo "$(VENV) is a link, and what it leads to does not match $(strip $(LOCKS)). Make that environment again, or remove the link."; exit 1; }
	@echo "First an environment: $(VENV) with $(PYTHON) from $(strip $(LOCKS)), one to three minutes ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes $(foreach lock,$(LOCKS),-r $(lock)) || { \
		rm -rf $(VENV); echo "The packages were not installed, for the reason above; nothing of $(VENV) is left."; exit 1; }
	@touch $@ $(if $(GPU),$(VENV)/.with-gpu)

.PHONY: other-wheels
other-wheels:

# Whichloss itself, from this checkout: what is edited here is what runs. No network is needed. A link leads to the environment of
# another checkout, whose `whichloss` stays as it is.
$(VENV)/.whichloss: pyproject.toml setup.py $(VENV)/.installed
	@test -L $(VENV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-index --no-build-isolation --no-deps \
		--config-settings editable_mode=compat --editable .
	@test -L $(VENV) || touch $@

venv: $(VENV)/.whichloss

demo: venv
	@$(BIN)/snakemake --cores $(CORES) --resources cpu_trainings=100 --configfile studies/demo.yaml $(MORE) \
		--rerun-incomplete --quiet host reason
	@echo "Report: $(CURDIR)/results/demo/report.html"

# What is worth waiting for after each edit: up to 90 s on two cores.
quick: venv
	@$(BIN)/python -m tests.quick

# File by file side by side, the longest first: no core waits for the end of a tier.
SIDE_BY_SIDE := --numprocesses auto --dist loadfile --no-loadscope-reorder --slowest-files 20 -q

.PHONY: say-test
say-test:
	@echo "All tests, those of a cluster, a browser and killed trainings too where the machine can: 20 to 25 minutes on two cores,"
	@echo "$(if $(wildcard $(VENV)/.installed),in the environment $(VENV).,after one to three minutes for the environment.)"

test: say-test venv
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-unit test-workflow test-system: test-%: venv
	@$(BIN)/python -m pytest -m $* $(SIDE_BY_SIDE)

test-slow: venv
	@$(BIN)/python -m pytest -m slow --slow -s

# Beside the environment and not in it: what is installed there shall not depend on who ran this test.
$(VENV)-jax/.installed: envs/lock-jax.txt | venv
	@echo "Installing JAX into $(VENV)-jax ..."
	@rm -rf $(VENV)-jax
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $(VENV)-jax -r envs/lock-jax.txt
	@touch $@

test-jax: $(VENV)-jax/.installed
	@PYTHONPATH=$(VENV)-jax $(BIN)/python -m pytest tests/unit/test_losses_backends.py -k jax

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

# Files that are generated from the code; a test keeps them current.
generated: venv
	$(BIN)/python -m workflow_lib.commands.generated

# ONLY="batches losses" measures these again and keeps the others.
benchmark: venv
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

lock:
	$(COMPILE) --overrides envs/overrides.txt envs/requirements.in -o envs/lock.txt
	$(COMPILE) --constraints envs/lock.txt envs/requirements-cuda.in -o envs/lock-cuda.txt
	$(COMPILE) --constraints envs/lock.txt envs/requirements-jax.in -o envs/lock-jax.txt

clean:
	rm -rf /dev/shm/whichloss-tests-$$(id -u)
	rm -rf $(VENV) $(VENV)-jax .snakemake .pytest_cache .mypy_cache .ruff_cache
