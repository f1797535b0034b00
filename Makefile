# heapbeat: what can be done here. `make` alone lists it.
#
# Needs Rust, Node 18 or later (npm) and make. Everything else is set up on first use: npm packages in node_modules, and Rust's
# WebAssembly target.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# wrangler wants a newer Node than machines have; this one comes with the npm packages.
NODE := node_modules/.bin/node
BIN := node_modules/.bin
PACKAGES := node_modules/.heapbeat-stamp

export PORT ?= 8080
export EDGE_PORT ?= 8787
export TICK ?= 60s

.PHONY: help
help: ## List what can be done
	@echo "heapbeat"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'
	@echo
	@echo "  PORT=3000 EDGE_PORT=3001 TICK=5s make run    other ports, and a tick every five seconds"

.PHONY: run
run: ## Run both halves here: the server, and the edge that watches it
	@node tools/preflight.mjs
	@$(MAKE) --no-print-directory release wasm
	@exec $(NODE) tools/run.mjs

.PHONY: test
test: test-native wasm e2e ## Test everything: natively, then the real server and worker end to end

.PHONY: test-native
test-native: ## Test what needs neither wasm nor a browser
	@echo "== native tests"
	@cargo test --workspace --locked

.PHONY: e2e
e2e: wasm release history-generator ## Test the real server and the real worker end to end
	@echo "== end-to-end tests"
	@$(NODE) --test --test-reporter=spec --test-timeout=3600000 $(E2E_FLAGS) 'tests/e2e/*/*.test.mjs'

# What fills a hub with a past, for tests and benchmarks (tests/e2e/support/seed-history.mjs).
.PHONY: history-generator
history-generator:
	@cargo build --locked --quiet -p heapbeat-edge --example history

.PHONY: lint
lint: setup ## Check format, lints, documentation and JavaScript
	@echo "== format"
	@cargo fmt --all --check
	@echo "== clippy"
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@cargo clippy -p heapbeat-edge --target wasm32-unknown-unknown --locked -- -D warnings
	@echo "== documentation"
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	@echo "== JavaScript"
	@$(BIN)/biome ci .
	@$(NODE) $(BIN)/tsc --project tsconfig.json

.PHONY: format
format: setup ## Format Rust and JavaScript
	@cargo fmt --all
	@$(BIN)/biome check --write .

.PHONY: openapi
openapi: ## Write the description of the API anew, as a document and as a page
	@cargo run --quiet --locked -p heapbeat-edge --example openapi

.PHONY: bench
bench: release wasm history-generator ## Measure, as ratios against a floor in the same run
	@$(NODE) bench/run.mjs

.PHONY: budget
budget: wasm history-generator ## What a day of 1, 50 and 1,000 monitors takes of the free plan (some minutes)
	@$(NODE) tools/budget.mjs

.PHONY: push-keys
push-keys: ## Make the keys with which browsers are told, and say where they go
	@node tools/push-keys.mjs

.PHONY: deploy
deploy: wasm ## Deploy the edge to Cloudflare, after a dry run
	@$(NODE) tools/deploy.mjs

.PHONY: setup
setup: $(PACKAGES) ## Fetch the tools that the rest needs
	@$(NODE) tools/toolchain.mjs

.PHONY: wasm
wasm: setup ## Build the edge for Cloudflare (WASM_PROFILE=wasm-dev: quickly, to work on it)
	@$(NODE) tools/wasm.mjs

.PHONY: release
release:
	@echo "== building the server (a few minutes the first time)"
	@cargo build --release --locked --bin heapbeat

$(PACKAGES): package.json package-lock.json
	@echo "== fetching npm packages (about half a minute)"
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: clean
clean: ## Remove what was built, and the local history
	@rm -rf target edge/build node_modules .heapbeat .wrangler
