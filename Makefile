.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
# Where torch comes from first, such as https://download.pytorch.org/whl/cpu; empty: pip's own index
TORCH_INDEX ?=
READY := $(VENV)/.ready

.PHONY: help install search test slow lint clean

help: ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@[ -z "$(TORCH_INDEX)" ] || $(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt --index-url "$(TORCH_INDEX)" torch
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $(READY)

install: $(READY) ## Install into .venv, with the tested versions

search: $(READY) ## Set up, then search: a real one, in minutes, on this machine
	@# 3 means that the time budget ended it, with its results in place
	$(VENV)/bin/nas search || [ $$? -eq 3 ]

test: $(READY) ## Set up, then run the tests, in two processes
	@# what shares costly fixtures, or Ray, runs in one of them: tests/conftest.py says what
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --no-loadscope-reorder

slow: $(READY) ## Run the long tests too
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m "not gpu"

lint: $(READY) ## Check style
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

clean: ## Remove the environment and caches, never runs or models
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
