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
DOCS := $(VENV)/.docs-installed
# On a terminal pip shows what it downloads; a log needs the errors alone.
PIP := $(BIN)/python -m pip install $(shell [ -t 2 ] || echo -qq) --disable-pip-version-check

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## Say what there is
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-11s %s\n' "$$name" "$$text"; done

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

$(DOCS): requirements/docs.txt $(LAB)
	@echo "Installing what the documentation needs" >&2
	@$(PIP) -r $<
	@touch $@

# What Ansible's tools keep stays in the checkout, and nothing of the caller's own settings reaches them.
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/$(VENV)/collections
export ANSIBLE_CONFIG := $(CURDIR)/tests/tools/ansible.cfg

.PHONY: lint lint-python lint-types lint-layers lint-page lint-workflows lint-words lint-unused lint-yaml lint-ansible lint-changelog lint-template lint-sanity lint-galaxy
# `make -k lint` goes on after the first complaint.
lint: lint-python lint-types lint-layers lint-page lint-workflows lint-words lint-unused lint-yaml lint-ansible lint-changelog lint-template lint-sanity lint-galaxy ## Format, rules, types, layers, the report page, workflows, words, unused code of the tests, YAML, Ansible's own checks, the AWS template, Galaxy's import
lint-python: $(LINT)
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet --output-format concise
lint-types: $(LINT)
	$(BIN)/mypy
lint-layers: $(LINT)
	PYTHONPATH=$(VENV)/collections $(BIN)/lint-imports --no-cache
lint-page: $(LINT) node_modules/.package-lock.json
	$(BIN)/python tests/tools/build_page.py --check
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm run --silent lint:page
lint-workflows: $(LINT) node_modules/.package-lock.json
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm run --silent lint:workflows
	$(BIN)/zizmor --offline --quiet --no-progress .github/workflows
lint-words: $(LINT)
	$(BIN)/python tests/tools/lint_words.py
lint-unused: $(LINT)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/tools/lint_unused.py
lint-yaml: $(LINT)
	$(BIN)/yamllint --strict .
lint-ansible: $(LINT)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint -q
lint-changelog: $(LINT)
	$(BIN)/antsibull-changelog lint
lint-template: $(LINT)
	$(BIN)/cfn-lint roles/aws_prerequisites/files/*.template
	PYTHONPATH=tests $(BIN)/python tests/tools/lint_policies.py
lint-sanity: $(LINT)
	$(BIN)/python tests/tools/sanity.py
lint-galaxy: $(LINT)
	$(BIN)/python tests/tools/import_galaxy.py

node_modules/.package-lock.json: package.json package-lock.json $(LINT)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent --no-fund --no-audit
	@touch $@

.PHONY: generate
generate: $(TEST) ## Write what follows from the list of variables (specs, defaults, tables, surveys) and the page's assets
	$(BIN)/python tests/tools/build_page.py
	PYTHONPATH=tests:$(VENV)/collections $(BIN)/python tests/tools/generate.py

.PHONY: docs
docs: $(DOCS) ## Build the documentation site into .cache/docs/html; a warning is an error
	$(BIN)/python tests/tools/build_docs.py .cache/docs

.PHONY: screenshots
screenshots: docs $(TEST) ## Pictures of the site's main pages, and of the end of each start page, into .cache/docs/screenshots
	$(BIN)/python tests/tools/screenshots.py .cache/docs

.PHONY: format
format: $(LINT) ## Put into format what `make lint` would complain about
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# What the labs of all scenarios and tests have used of the template's rights.
RIGHTS := $(CURDIR)/.cache/rights

.PHONY: test
# The labs wait more than they work, so four share two cores. A module whose tests share a costly fixture is a group of one worker.
test: $(TEST) ## Unit tests, then every scenario in the lab, four at a time
	$(BIN)/pytest -n 2 --dist loadgroup tests/unit
	rm -rf $(RIGHTS) && mkdir -p $(RIGHTS)
	PATCHFLEET_LAB_RIGHTS=$(RIGHTS) $(BIN)/pytest -n 4 --dist loadgroup tests/integration
	PYTHONPATH=tests $(BIN)/python tests/tools/unused_rights.py $(RIGHTS)

.PHONY: matrix
CORES ?=
matrix: $(TEST) ## Unit tests, sanity and three scenarios on each ansible-core (CORES="2.17 2.21"), with the oldest and newest dependencies
	$(BIN)/python tests/matrix/run.py $(CORES)

.PHONY: release
release: $(LINT) ## Write VERSION=… into every file that names it, and the changelog out of its fragments
	$(BIN)/python tests/tools/release.py $(VERSION)

.PHONY: bench
bench: $(TEST) ## CPU, memory, API calls and time of fleets, by Ansible and as threads, and the time of the unit tests
	PYTHONPATH=tests:$(VENV)/collections $(BIN)/python -m bench

.PHONY: simulate
HOSTS ?= 5000
ACCOUNTS ?= 1
SLICES ?= 1
AT_ONCE ?= 50
simulate: $(TEST) ## A night of HOSTS hosts in ACCOUNTS accounts with SLICES controllers of AT_ONCE hosts each, in virtual time
	PYTHONPATH=tests:$(VENV)/collections $(BIN)/python -m bench.simulate --hosts $(HOSTS) --accounts $(ACCOUNTS) --slices $(SLICES) --at-once $(AT_ONCE)

.PHONY: slices
slices: $(TEST) ## A night of HOSTS hosts on SLICES controllers of AT_ONCE hosts each, in virtual time, with SIGKILL to one of them
	PYTHONPATH=tests:$(VENV)/collections $(BIN)/python -m chaos.slices --hosts $(HOSTS) --slices $(SLICES) --at-once $(AT_ONCE)

.PHONY: chaos
RUNS ?= 200
chaos: $(TEST) ## RUNS nights at random: kills, faults, other people; SEED=… plays the same ones, AGAIN=SEED/NUMBER one alone
	PYTHONPATH=tests:$(VENV)/collections $(BIN)/python -m chaos --runs $(RUNS) $(if $(SEED),--seed $(SEED)) $(if $(AGAIN),--again $(AGAIN))

.PHONY: demo
demo: $(LAB) ## Patch a small fleet in the lab, and look at the report
	@tests/demo/run

.PHONY: clean
clean: ## Remove what these targets have made
	rm -rf .venv .venv-matrix .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
