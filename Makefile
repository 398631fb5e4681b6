# The project's commands. Everything runs from a fresh clone as root on Debian 12 and 13, twice in a row.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/pytest
APT := mmdebstrap systemd-container iproute2 python3-venv
APT_TESTS := nodejs npm chromium

.PHONY: help lab lab-down test check unit lab-test sim sim-long bench soak compat screenshots docs lock clean packages venv

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

lab: venv ## Bring up the machine room: two hosts, storage, a running VM on each host
	$(BIN)/cardume lab up

lab-down: venv ## Remove the machine room without a trace
	$(BIN)/cardume lab down
	$(BIN)/cardume lab down --name walk

test: venv packages-tests ## Every test: unit, contract, golden, then the lab's
	$(PYTEST) tests

check: venv ## Lint, types, layers
	$(BIN)/ruff check src tests bench
	$(BIN)/ruff format --check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports --config pyproject.toml

unit: venv ## The fast tests alone
	$(PYTEST) tests/unit tests/contract tests/golden

lab-test: venv packages-tests ## The tests alone that need a lab, those of the web console among them
	$(PYTEST) tests/lab tests/console

soak: venv packages-tests ## Long repetitions: the lab's tests, ten people in the console, changed requests for the decoders
	$(PYTEST) tests -m soak

bench: venv packages-tests ## The benchmarks, as one table
	$(BIN)/python -m bench

screenshots: venv packages-tests ## The pictures of the console that docs show, taken of the real thing in a lab of its own
	rm -rf build/pictures
	CARDUME_SCREENSHOTS=$(CURDIR)/build/pictures $(PYTEST) tests/console/test_handout.py tests/console/test_files.py tests/console/test_snapshots_and_devices.py
	$(BIN)/python -m tests.console.pictures build/pictures

docs: venv ## Write the generated pages of docs/reference anew
	$(BIN)/python -m cardume.cli.reference > docs/reference/xe.md
	$(BIN)/python -m cardume.api.coverage docs/reference/client-messages.tsv > docs/reference/coverage.md

sim: venv ## High availability on virtual time: stories, broken rules, ten thousand schedules of faults
	$(PYTEST) tests/sim

sim-long: venv ## The same with a million schedules
	CARDUME_SIM_SCHEDULES=1000000 $(PYTEST) tests/sim

compat: venv packages-tests ## Clients that we did not write, as one table; LAB=name takes a lab that is up
	$(BIN)/python -m tests.compat $(if $(LAB),--lab $(LAB))

lock: ## Pin every package anew, with hashes (needs uv)
	uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	    --group dev --extra console --universal -o requirements.lock
	uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	    --python-platform x86_64-manylinux_2_28 -o requirements-host.lock
	uv pip compile tests/lab/clients/requirements.in --python-version 3.11 --generate-hashes --no-header --no-annotate -q \
	    --universal -o tests/lab/clients/requirements.lock

clean: ## Remove what was built in the checkout
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: packages $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	python3 -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Cardume needs Python 3.11 or newer")'
	python3 -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Debian's own packages, installed when missing; the machine's apt settings say from where.
packages:
	@[ "$$(id -u)" = 0 ] || { echo "Cardume's lab boots containers and makes networks: run make as root." >&2; exit 1; }
	@$(call install,$(APT))

.PHONY: packages-tests
packages-tests:
	@command -v node >/dev/null && command -v npm >/dev/null && command -v chromium >/dev/null || { $(call install,$(APT_TESTS)); }

define install
missing=""; for each in $(1); do dpkg-query -W -f='$${Status}' $$each 2>/dev/null | grep -q ' installed' || missing="$$missing $$each"; done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
	    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; } >/dev/null \
	        || { echo "these packages could not be installed:$$missing" >&2; exit 1; }; fi
endef
