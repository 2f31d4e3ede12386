# Every task of the project. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PARTS := tests/parts
SCRIPTS := $(wildcard $(PARTS)/*.sh tests/*.sh tests/*/run.sh) $(PARTS)/parts.bash .ci/run

.PHONY: help
help: ## List the tasks
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## Build the program: target/release/mpcheck
	cargo build --release --locked --bin mpcheck

.PHONY: demo
demo: build ## Check a good and a broken image, made on the spot
	cargo build --release --locked --package mpcheck-kit --bin mpcheck-forge
	tests/demo.sh target/release/mpcheck target/release/mpcheck-forge

.PHONY: test
test: ## Set up everything that the tests need, and run them all
	$(PARTS)/install.sh test
	$(PARTS)/images.sh test
	$(PARTS)/run.sh cargo test --workspace --locked --no-fail-fast
	$(MAKE) fuzz SECONDS_EACH=10 SEED=1

.PHONY: lint
lint: ## Formatting, clippy, documentation, shell scripts
	$(PARTS)/install.sh lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	shellcheck --external-sources $(sort $(SCRIPTS))

.PHONY: bench
bench: build ## Measure against crane, skopeo, syft, container-structure-test and arch-test in one run (long: it builds large images)
	$(PARTS)/install.sh bench
	tests/bench/run.sh

SECONDS_EACH ?= 60
.PHONY: fuzz
fuzz: ## Run each fuzz target for SECONDS_EACH seconds, with the random numbers of SEED
	SEED=$(SEED) tests/fuzz.sh $(SECONDS_EACH)

.PHONY: schema
schema: ## Write the JSON Schemas again
	cargo run --quiet --locked -- schema report > suites/report.schema.json
	cargo run --quiet --locked -- schema suite > suites/suite.schema.json

.PHONY: stop
stop: ## Stop engines and registries that a test run left behind
	$(PARTS)/engine.sh stop
	$(PARTS)/binfmt.sh stop
	$(PARTS)/registry.sh stop

.PHONY: clean
clean: stop ## Remove what was built and installed in this directory
	cargo clean
	rm -rf .parts
