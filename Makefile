# Every command makes its own environment first; a plain Python 3.11+ is all that must be there. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
READY := .venv/.ready
WORKERS ?= 2

.PHONY: help run demo down test test-fast check bench faults simulate rules kafka migrate migration format

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(READY) ## serve all five services on the real clock (OPERATOR=… DATA=…)
	$(BIN)/reconecta up $(if $(OPERATOR),--operator $(OPERATOR)) $(if $(DATA),--data $(DATA))

demo: $(READY) ## play one month of an operator and leave it running (BOOK=… MAPPING=… plays another file)
	$(BIN)/reconecta demo $(if $(BOOK),--book $(BOOK)) $(if $(MAPPING),--mapping $(MAPPING))

down: $(READY) ## stop what `make demo` left running
	$(BIN)/reconecta down

test: $(READY) ## all tests, on real PostgreSQL and real Kafka (ARGS=… goes to pytest)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-fast: $(READY) ## the tests that need no Kafka and take no time
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not kafka and not slow" $(ARGS)

check: $(READY) ## ruff, mypy strict, the rooms' arrows, migrations and generated documents fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy shared services tests
	$(BIN)/lint-imports
	$(BIN)/python -m services.migrate check
	$(BIN)/python -m services.docs check
	$(BIN)/python -m services.checks check
	@for operator in deploy/operators/*/; do $(BIN)/reconecta check $$operator || exit 1; done

format: $(READY) ## let ruff mend layout and imports
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: $(READY) ## measure, beside the raw limits of the same run; about an hour, with QUICK=1 less than ten minutes
	$(BIN)/python -m tests.bench $(if $(QUICK),--scale 0.1 --rounds 2) $(ARGS)

simulate: $(READY) ## play one world of the simulation again: SEED=… (as a failing one says), or SCHEDULES=… of them from the first on
	SEED=$(SEED) $(if $(SIZE),SIZE=$(SIZE)) $(if $(SCHEDULES),SCHEDULES=$(SCHEDULES)) $(BIN)/pytest -n $(if $(SEED),0,$(WORKERS)) tests/simulation/test_worlds.py $(ARGS)

faults: $(READY) ## break the house on purpose, under load, for MINUTES=30 (SEED=…, ONLY=F1,F2); writes docs/reliability.md
	$(BIN)/python -m tests.faults --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY),--write)

rules: $(READY) ## the operators' rules that no test proves; fails for one that is marked as built
	$(BIN)/reconecta rules

kafka: $(READY) ## start a local Apache Kafka
	$(BIN)/python -m deploy.kafka.local start

migrate: $(READY) ## bring the databases of the <SERVICE>_DATABASE_URL addresses to the newest migration
	$(BIN)/reconecta migrate

migration: $(READY) ## write a service's next migration from its models: SERVICE=billing M="what changes"
	@test -n "$(SERVICE)" -a -n "$(M)" || { echo 'usage: make migration SERVICE=billing M="what changes"'; exit 2; }
	$(BIN)/python -m services.migrate revision $(SERVICE) "$(M)"

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

# Without uv on the machine, a small environment of its own brings it.
.uv/bin/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Reconecta needs Python 3.11 or newer (PYTHON=… names another one)")'
	$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv
