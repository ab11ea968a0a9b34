# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make` says what there is. Everything happens in .venv; PYTHON=/path/to/python chooses what that is made from.

VENV := .venv
BIN := $(VENV)/bin
# One stamp for each file of requirements: what is newer than its stamp is installed, and nothing else.
LAB := $(VENV)/.lab-installed
TEST := $(VENV)/.test-installed
LINT := $(VENV)/.lint-installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done

.PHONY: setup setup-lab
setup: $(LINT) ## Make .venv with all that tests and linters need
	@:
# What the lab alone needs: less, so that the first demo comes sooner.
setup-lab: $(LAB)
	@:

$(BIN)/python:
	@python=$$(tests/tools/find-python) && echo "Making $(VENV) with $$python" >&2 && "$$python" -m venv $(VENV)

$(LAB): requirements/controller.txt requirements/lab.txt tests/tools/link_collections.py | $(BIN)/python
	@echo "Installing what the lab needs (a minute or two, once)" >&2
	@$(PIP) -r requirements/lab.txt
	@$(BIN)/python tests/tools/link_collections.py
	@touch $@

$(TEST): requirements/test.txt $(LAB)
	@echo "Installing what the tests need" >&2
	@$(PIP) -r $<
	@touch $@

$(LINT): requirements/lint.txt $(TEST)
	@echo "Installing what the linters need" >&2
	@$(PIP) -r $<
	@touch $@
