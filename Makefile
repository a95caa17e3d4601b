.DEFAULT_GOAL := help
.PHONY: help setup console run test test-ci clients local-services lint mutants bench openapi configuration package publish clean

STATE ?= .local
ARGS ?=
PACKAGES ?=
# The program that the tests have built.
TESTED_PROGRAM = PROGRAM="$${CARGO_TARGET_DIR:-target}/debug/packages-service"
# Variables for the scripts: make package ARCH=arm64, make publish BUCKET=my-artifacts TAG=v1.
export ARCH BUCKET TAG ZIG

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install PostgreSQL and the tests' stand-in for AWS, if they are missing
	@scripts/setup

console: ## Build the web app that the program serves at `/`, if it changed
	@scripts/console

run: ## Start the service with everything that it needs (ARGS="--port 9000 --fresh")
	@scripts/setup postgres
	@scripts/console || echo 'make: the console could not be built: the service starts without its current version' >&2
	cargo run --locked --package server -- dev --state-dir "$(STATE)" $(ARGS)

test: setup console ## Run all tests, also in a browser, and compare the running service with its OpenAPI document
	cargo test --workspace --locked --lib --bins --tests
	cargo test --workspace --locked --doc
	$(TESTED_PROGRAM) scripts/schemathesis
	$(TESTED_PROGRAM) scripts/browser-tests

clients: ## Read the demo with real clients (PACKAGES="zarr-python zarrita")
	@scripts/clients $(PACKAGES)

test-ci: ## Run all tests on Docker's Postgres, MinIO and DynamoDB
	@scripts/test-ci

local-services: ## Start these three, and print the variables that make tests use them
	@scripts/local-services up && echo && scripts/local-services env

lint: ## Run all checks, as CI does
	.ci/run

mutants: ## Change the code in small ways and see that a test fails each time; takes hours (PACKAGES=signing)
	@scripts/mutants $(PACKAGES)

bench: setup ## Measure functions, signatures, restores, links, and the server beside its floors
	cargo build --release --locked --package lambda
	cargo run --release --locked --package lambda --example figures
	cargo run --release --locked --package signing --example rates
	cargo run --release --locked --package server --example restore
	cargo run --release --locked --package server --example links
	cargo run --release --locked --package server --example throughput 2>/dev/null
	cargo run --release --locked --package server --example throughput -- --log off

openapi: ## Generate the OpenAPI documents from the handlers
	@scripts/openapi

configuration: ## Write the table of variables into docs/configuration.md
	@scripts/configuration

package: ## Zip the Lambda functions (ARCH=x86_64 or arm64, TAG=v1, ZIG=1 on a system newer than Amazon Linux 2023)
	@scripts/package

publish: ## Package the functions and upload them to S3 (BUCKET=my-artifacts, and the variables of package)
	@scripts/publish

clean: ## Remove build outputs, tools and the local state
	cargo clean
	rm -rf .local .tools console/dist console/node_modules
