.DEFAULT_GOAL := help
.PHONY: help setup run test test-ci local-services lint mutants bench openapi package publish clean

STATE ?= .local
ARGS ?=
PACKAGES ?=
# What scripts are told: make package ARCH=arm64, make publish BUCKET=my-artifacts TAG=v1.
export ARCH BUCKET TAG ZIG

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: PostgreSQL, and the tests' stand-in for AWS
	@scripts/setup

run: ## Start the service and all that it needs (ARGS="--port 9000 --fresh")
	@scripts/setup postgres
	cargo run --locked --package server -- dev --state-dir "$(STATE)" $(ARGS)

test: setup ## Run all tests, and call the running service as its OpenAPI document says
	cargo test --workspace --locked
	scripts/schemathesis

test-ci: ## Run all tests on Docker's Postgres, MinIO and DynamoDB
	@scripts/test-ci

local-services: ## Start those three, and say how tests are told to use them
	@scripts/local-services up && echo && scripts/local-services env

lint: ## Run the whole gate, as CI does
	.ci/run

mutants: ## Change the code in small ways and see that a test fails each time; takes hours (PACKAGES=signing)
	@scripts/mutants $(PACKAGES)

bench: setup ## Print what functions, signatures and restores cost
	cargo build --release --locked --package lambda
	cargo run --release --locked --package lambda --example figures
	cargo run --release --locked --package signing --example rates
	cargo run --release --locked --package server --example restore

openapi: ## Write the OpenAPI documents that the handlers describe
	@scripts/openapi

package: ## Zip the Lambda functions (ARCH=x86_64 or arm64, TAG=v1, ZIG=1 on a system newer than Amazon Linux 2023)
	@scripts/package

publish: ## Upload them to S3 (BUCKET=my-artifacts, and as for package)
	@scripts/publish

clean: ## Remove what was built, and the local state
	cargo clean
	rm -rf .local .tools
