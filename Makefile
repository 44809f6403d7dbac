# What a developer does. The work itself is in the scripts named here.
# Where the CustomResourceDefinitions go: plain ones for kubectl, and those of the chart.
CRD_FOLDERS := crds/yaml charts/posthaste-crds/templates

# Not to cargo: `make --jobs=2` says how many targets are made at once, and not how many crates are compiled.
unexport MAKEFLAGS

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-cluster bench check check-format check-lints check-docs check-generated check-charts \
	check-dependencies check-scripts generate images cluster-up cluster-down

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Deliver signed webhooks on this machine, without a cluster
	examples/quickstart/demo

test: test-unit test-cluster ## Run all tests, the cluster ones included

test-unit: ## Run the tests that need no cluster
	cargo test --locked --workspace --exclude posthaste-e2e
	cargo test --locked --package posthaste-e2e --lib --bins

test-cluster: ## Run the tests against a real Kubernetes (Linux as root, or E2E_KUBECONFIG)
	e2e/run

bench: ## Measure speed and memory (ROW=fan-out,idle for some rows, QUICK=1 for short runs)
	e2e/benchmark/run $(if $(ROW),--row $(ROW)) $(if $(QUICK),--quick) $(if $(DIRECTORY),--directory $(DIRECTORY))

check: check-format check-lints check-docs check-generated check-charts check-dependencies check-scripts ## Run all static checks

check-format:
	cargo fmt --all --check

check-lints:
	cargo clippy --locked --workspace --all-targets -- -D warnings

check-docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

check-generated:
	cargo run --locked --quiet --package posthaste-crds --bin crdgen -- --check $(CRD_FOLDERS)

check-charts:
	e2e/cluster/cluster build helm prometheus
	charts/test

check-dependencies:
	.ci/check-dependencies

check-scripts:
	.ci/check-scripts

generate: ## Write what is generated: CRDs, chart snapshots
	cargo run --locked --quiet --package posthaste-crds --bin crdgen -- $(CRD_FOLDERS)
	e2e/cluster/cluster build helm
	charts/test --update

images: ## Build the container images into target/images
	images/build

cluster-up: ## Start the test cluster (Linux as root); prints what to export
	e2e/cluster/cluster install
	e2e/cluster/cluster build
	@e2e/cluster/cluster up

cluster-down: ## Stop the test cluster and remove all of it
	e2e/cluster/cluster down
