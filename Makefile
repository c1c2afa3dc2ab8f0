# What to type. `make help` lists it; each target installs what is missing and says what.

TARGET := $(or $(CARGO_TARGET_DIR),target)
CARGO := cargo
# Where Node.js is if we installed it.
export PATH := $(CURDIR)/scripts/node/bin:$(PATH)
# The built console, which the server's build embeds, and what it is made of.
CONSOLE := crates/server/console/index.html
CONSOLE_PARTS := $(shell find console \( -name node_modules -o -name dist -o -name shots -o -name made -o -name e2e \) -prune -o -type f -print) \
    docs/reference/openapi.json docs/reference/problems.md docs/reference/reasons.md crates/server/src/decide/query/corpus.json
# The example and its data stay inside the build folder.
RUN_DATA := $(TARGET)/run

.DEFAULT_GOAL := help
.PHONY: help run test test-interop test-interop-quick test-faults test-interface bench bench-events bench-server bench-peers dist publish-check \
    lint rust console console-walk console-shots zookeeper databases oidc nginx schemathesis chromium

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(CONSOLE): $(CONSOLE_PARTS)
	@sh scripts/install-node.sh
	@sh scripts/install-console.sh
	@cd console && npm run --silent api && npm run --silent build

run: rust ## Run the example: this machine's packages, checked in 4 parts by 3 instances; Ctrl-C ends it
	@$(MAKE) --silent $(CONSOLE) || echo "going on without the web console, which was not built"
	@echo "1 of 2: building the program and the example (the first time: some 400 crates, 3 to 10 minutes)"
	$(CARGO) build -p clockwright-cli -p verify-packages
	@mkdir -p $(RUN_DATA)
	@echo "2 of 2: running examples/verify-packages/jobs.yaml with $(abspath $(TARGET))/debug/clockwright"
	@PATH="$(abspath $(TARGET))/debug:$$PATH" clockwright dev -f examples/verify-packages/jobs.yaml \
	    --data $(RUN_DATA) --fire-now $(RUN_ARGS)

test: rust console zookeeper databases oidc nginx chromium ## Check the format and the lints, then run every test: unit, conformance, simulation, end to end
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --features clockwright-engine/mutations,clockwright-server/mutations,clockwright-cli/otel -- -D warnings
	$(CARGO) clippy -p clockwright --no-default-features -- -D warnings
	$(CARGO) build --workspace --bins --examples
	$(CARGO) test --workspace
	$(CARGO) test --workspace --features clockwright-engine/mutations,clockwright-server/mutations,clockwright-server/otel --test sim --test sync_sim --test traces
	cd console && CLOCKWRIGHT=$(abspath $(TARGET))/debug/clockwright npm run --silent walk

console: $(CONSOLE) ## Check the web console and build it into the server's sources
	@cd console && npm run --silent api && npm run --silent types && npm run --silent lint && npm run --silent test

console-walk: rust $(CONSOLE) chromium ## Walk through the console in a real browser, before a real server
	$(CARGO) build -p clockwright-cli
	cd console && CLOCKWRIGHT=$(abspath $(TARGET))/debug/clockwright npm run --silent walk

console-shots: rust $(CONSOLE) chromium ## Take pictures of every page of the console, in both themes and languages, wide and narrow: console/shots
	$(CARGO) build -p clockwright-cli
	cd console && CLOCKWRIGHT=$(abspath $(TARGET))/debug/clockwright npm run --silent shots

test-interop: rust ## Run jobs on Java Elastic-Job and Clockwright together, and the registry on ZooKeeper 3.4, 3.6 and 3.9; needs a JDK and Maven
	@sh scripts/test-interop.sh $(INTEROP_ARGS)

test-interop-quick: rust ## Run one interop scenario of each kind, and the registry on ZooKeeper 3.4; needs a JDK and Maven
	@sh scripts/test-interop.sh --quick

test-faults: rust zookeeper databases nginx ## Let control servers, their registry, their database and nginx fail in every way; some ten minutes
	$(CARGO) build --workspace --bins --examples
	$(CARGO) test --workspace --test control_plane -- --include-ignored --test-threads 1 $(FAULTS_ARGS)

test-interface: rust schemathesis ## Ask a server all that its document allows, and much that it forbids, as each role
	$(CARGO) build --workspace --bins --examples
	python3 scripts/schemathesis/run.py $(TARGET)/debug/clockwright $(INTERFACE_ARGS)

bench: rust zookeeper ## Measure, beside the limits of what it stands on; prints one table
	$(CARGO) run --release -p clockwright-benches -- $(BENCH_ARGS)

bench-events: rust databases ## Measure the event store on every database, with ten million rows and beside Java's; needs a JDK and Maven
	$(CARGO) run --release -p clockwright-benches -- $(BENCH_ARGS) \
	    events events-publish events-java events-retention events-partitions events-queries

SERVER_ROWS ?= server-lists server-history server-sync server-mirror server-changes server-takeover

bench-server: rust zookeeper databases ## Measure the control plane with 100,000 jobs, some 25 minutes; SERVER_ROWS='server-sync …' for some of it
	$(CARGO) run --release -p clockwright-benches -- $(BENCH_ARGS) $(SERVER_ROWS)

bench-peers: rust zookeeper ## Measure beside Java Elastic-Job 2.1.5; needs a JDK and Maven, and most of an hour
	@sh e2e/java-peer/build.sh
	$(CARGO) run --release -p clockwright-benches -- peers $(BENCH_ARGS)

dist: rust $(CONSOLE) ## Build the program for others: a stripped archive and, on Debian, a package, in target/dist
	CLOCKWRIGHT_COMMIT=$$(git rev-parse HEAD 2>/dev/null) $(CARGO) build --profile dist -p clockwright-cli
	@sh scripts/dist.sh $(TARGET)

publish-check: rust ## See that every public crate could be published, in their order; nothing is sent
	$(CARGO) publish --dry-run --workspace --allow-dirty

lint: rust ## Check the format, the lints, the documentation and (where cargo-deny is installed) the dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --features clockwright-engine/mutations,clockwright-server/mutations,clockwright-cli/otel -- -D warnings
	$(CARGO) clippy -p clockwright --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links -A rustdoc::redundant_explicit_links" $(CARGO) doc --quiet --workspace --no-deps --document-private-items
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; \
	else echo "dependencies not checked: cargo install --locked cargo-deny"; fi

rust:
	@command -v cargo >/dev/null || { \
	    echo "Rust is missing. Install it from https://rustup.rs;" \
	         "rust-toolchain.toml names the version, which rustup then fetches by itself." >&2; exit 1; }
	@command -v cc >/dev/null || { \
	    echo "a C compiler is missing (for SQLite). On Debian: apt-get install build-essential" >&2; exit 1; }

zookeeper:
	@sh scripts/install-zookeeper.sh

oidc:
	@sh scripts/install-oidc.sh

nginx:
	@sh scripts/install-nginx.sh

chromium:
	@sh scripts/install-chromium.sh

schemathesis:
	@sh scripts/install-schemathesis.sh

databases:
	@sh scripts/install-databases.sh
