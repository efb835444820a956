# The commands of the README. Each does its own set-up; `tests/setup` installs what a fresh Debian machine lacks.

MUTU := target/release/mutu
DEMO := heshan.gpkg
LISTEN ?= 127.0.0.1:8080

.PHONY: run test build bench conformance torture web setup-build setup-test

## make run: the server on 127.0.0.1:8080 with the Heshan demonstration data
run: build $(DEMO)
	$(MUTU) serve --workspace $(DEMO) --listen $(LISTEN)

$(DEMO): | build
	test -e $(DEMO) || $(MUTU) seed --workspace $(DEMO)

## make build: target/release/mutu with the web application inside
build: setup-build web
	cargo build --release --locked

## make test: everything: format, lints, Rust, web, browser, the GIS programs that people own
test: setup-test web
	tests/setup clients
	cargo fmt --all --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo test --locked
	cd web && npm run check && npm run lint && npm test
	tests/e2e/run
	tests/clients/run

## make conformance: OGC's certificate suites against the demonstration data, written to tests/conformance/RESULTS.md
conformance: setup-test
	tests/setup conformance
	tests/conformance/run

## make torture: kills, full and failing disks, losses of power at every step of a session and of an upgrade; 10,000 rounds
## of two writers; readers during 5,000 edits (`make test` tries every step too, with fewer faults at each)
torture: setup-test
	MUTU_TORTURE=long cargo test --locked --test it torture:: -- --nocapture

## make bench: our figures beside the peers', written to tests/bench/RESULTS.md
bench: build setup-test
	tests/setup bench
	python3 tests/bench/run.py

web: web/dist/index.html

web/dist/index.html: web/package-lock.json $(shell find web/src web/public web/index.html web/vite.config.ts -type f 2>/dev/null)
	cd web && npm ci --no-audit --no-fund && npm run build

setup-build:
	tests/setup build

setup-test:
	tests/setup test
