.DEFAULT_GOAL := help
.PHONY: help setup run test lint clean

STATE ?= .local
ARGS ?=

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: PostgreSQL
	@scripts/setup

run: setup ## Start the service and all that it needs (ARGS="--port 9000 --fresh")
	cargo run --locked --package server -- dev --state-dir "$(STATE)" $(ARGS)

test: setup ## Run all tests
	cargo test --workspace --locked

lint: ## Run the whole gate, as CI does
	.ci/run

clean: ## Remove what was built, and the local state
	cargo clean
	rm -rf .local .tools
