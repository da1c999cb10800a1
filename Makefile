.DEFAULT_GOAL := help
.SILENT:
SHELL := /bin/sh

# The first Python that is new enough; the launcher says what is wrong when there is none.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && exit; done; echo python3)
endif
BIN := .venv/bin
DEV := $(PYTHON) -m onebox setup --dev
# Tests that can share the machine.  The rest start whole products or watch the clock.
SIDE_BY_SIDE := not cluster and not browser and not product
BY_THEMSELVES := cluster or browser or product

.PHONY: help
help:  ## list the verbs
	grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: run
run:  ## the whole product on this machine; CLUSTER=<kubeconfig>|controlplane, PORT=<number>
	$(PYTHON) -m onebox run

.PHONY: reset
reset:  ## remove this machine's state (.local): database, queues, keys, logs
	$(PYTHON) -m onebox reset

.PHONY: tick
tick:  ## one reconcile cycle in the foreground, saying what it would do; needs `make run`
	$(PYTHON) -m onebox manage reconcile --once --dry-run

.PHONY: controlplane
controlplane:  ## build the real control plane for the cluster tests and CLUSTER=controlplane
	$(DEV)
	$(BIN)/python -m onebox.controlplane build

.PHONY: workspace-tools
workspace-tools:  ## what runs in a workspace and before it, for the tests that open one
	$(DEV)
	$(BIN)/python -m tests.workspace.tools

.PHONY: test-workspace
test-workspace: workspace-tools  ## of the tests, those that open a workspace through its door
	$(BIN)/pytest -m workspace $(ARGS)

.PHONY: focus-validator
focus-validator:  ## what judges FOCUS files, once, for the tests of exports
	$(DEV)
	$(BIN)/python -m tests.exports.focus_validator

.PHONY: setup
setup:  ## .venv with everything that checks and tests need, and the git hooks
	$(DEV)
	if [ -d .git ] && [ -f .pre-commit-config.yaml ]; then $(BIN)/pre-commit install; fi

.PHONY: check
check: lint types imports test  ## everything CI runs; green here is green there

.PHONY: test
test:  ## all tests; what this machine lacks is skipped and named; ARGS=<options for pytest>
	$(DEV)
	$(BIN)/pytest -n auto --maxprocesses 4 -m "$(SIDE_BY_SIDE)" $(ARGS)
	$(BIN)/pytest -m "$(BY_THEMSELVES)" $(ARGS)

.PHONY: test-fast
test-fast:  ## the tests that need no browser, no control plane and no second product
	$(DEV)
	$(BIN)/pytest -n auto --maxprocesses 4 -m "$(SIDE_BY_SIDE)" $(ARGS)

.PHONY: lint
lint:  ## ruff: rules and layout
	$(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: messages
messages:  ## gather what pages and mails say into locale/, and compile it; fails while German lacks
	$(DEV)
	$(BIN)/python -m onebox.messages

.PHONY: format
format:  ## rewrite the code in the house style
	$(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types:  ## mypy --strict
	$(DEV)
	$(BIN)/mypy

.PHONY: imports
imports:  ## the architecture (.importlinter)
	$(DEV)
	$(BIN)/lint-imports

.PHONY: openapi
openapi:  ## write docs/api/openapi.yaml anew, after a change of the REST API
	$(DEV)
	DJANGO_SETTINGS_MODULE=gpuaas.settings.test $(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/api/openapi.yaml
