# Holdfast. `make help` lists what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

LOCAL := $(CURDIR)/.local
BIN := $(CURDIR)/bin
SERVICES := order-api inventory-projector analytics-projector query-api holdfast
DATA ?= $(wildcard ../shared/data/online_retail.csv.xz)
# All packages whose tests have a log of their own.
KAFKA_TESTS = $(addsuffix ...,$(addprefix ./,$(sort $(dir $(shell grep -rl --include='*_test.go' eventlog/logtest pkg)))))
CHAOS := go test -count=1 -v ./test/chaos
# gRPC without its traces, which nobody reads here: they would keep html/template, and with it what the linker drops else.
TAGS := grpcnotrace
export CGO_ENABLED := 0

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build all binaries into bin/
	@scripts/build.sh $(BIN) $(TAGS) $(SERVICES)

.PHONY: images
images: ## Build the images of the services (ARCHS='amd64 arm64', VERSION=v1.2.0): holdfast/order-api:dev, …
	@TAGS=$(TAGS) scripts/images.sh $(or $(ARCHS),amd64 arm64)

.PHONY: up
up: ## Run the platform with Docker Compose: Kafka, ClickHouse, the services, Prometheus, Grafana (docker-compose.yml)
	@export VERSION=$${VERSION:-$$(scripts/version.sh version)} COMMIT=$$(scripts/version.sh commit); \
	docker compose up --build --wait && \
	echo "commands http://127.0.0.1:8080, queries http://127.0.0.1:8081, dashboards http://127.0.0.1:3000"

.PHONY: down
down: ## End it (CLEAN=1 deletes its data)
	docker compose down $(if $(CLEAN),--volumes)

.PHONY: demo
demo: build ## Import a retailer's history into an embedded stack and look at it (DATA=file, EXIT=1, ARGS='--clickhouse off')
	$(BIN)/holdfast demo $(if $(DATA),--data $(DATA)) $(if $(EXIT),--exit) $(ARGS)

.PHONY: dev
dev: build ## Run the whole platform in one process (ARGS='--shards 3')
	$(BIN)/holdfast dev $(ARGS)

.PHONY: test
test: build ## Unit, property and embedded-broker tests
	@# Those that kill processes run alone: they measure how soon these are back. Tests that are parallel wait, and hardly compute.
	go test -parallel 6 -timeout 15m $$(go list ./... | grep -v /test/chaos)
	go test -timeout 10m ./test/chaos
	cd bench/peers && go test ./report

.PHONY: test-race
test-race: ## The same under the race detector
	CGO_ENABLED=1 go test -race -timeout 30m ./...

.PHONY: test-long
test-long: ## Property tests with many more sequences (CHECKS=100000 each), races with many more rounds
	go test -timeout 60m ./pkg/order ./pkg/inventory ./pkg/money -rapid.checks=$(or $(CHECKS),100000)
	HOLDFAST_TEST_RACES=long go test -count=1 -run AtTheSameTime ./pkg/shard

.PHONY: fuzz
fuzz: ## Feed every decoder what it does not expect (FUZZTIME=10s each)
	FUZZTIME=$(or $(FUZZTIME),10s) scripts/fuzz.sh

.PHONY: test-kafka
test-kafka: build kafka-up ## Integration tests against Apache Kafka (SKIP='analytics verify' leaves packages out, SKIP_CHAOS=NeverRead attacks)
	@status=0; export HOLDFAST_TEST_KAFKA=127.0.0.1:19092; \
	go test -count=1 -p 1 -parallel 6 -timeout 15m $(filter-out $(patsubst %,./pkg/%/...,$(SKIP)),$(KAFKA_TESTS)) && \
	$(CHAOS) -timeout 15m -skip 'Embedded$(addprefix |,$(SKIP_CHAOS))' || status=$$?; \
	scripts/kafka.sh down; exit $$status

.PHONY: test-brokers
test-brokers: build ## Kill brokers of a cluster of three Apache Kafka nodes (needs 2 GB; ends the other nodes and their data)
	@CLEAN=1 scripts/kafka.sh down; BROKERS=3 scripts/kafka.sh up; status=0; \
	HOLDFAST_TEST_KAFKA=127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094 $(CHAOS) -timeout 15m -run Broker || status=$$?; \
	CLEAN=1 scripts/kafka.sh down; exit $$status

.PHONY: test-chaos
test-chaos: build ## All attacks in full, on the embedded broker, Apache Kafka and three of its nodes (for the night: an hour or more)
	@status=0; export HOLDFAST_TEST_CHAOS=long; go test -count=1 -v -run NothingIsLeftOver ./pkg/shard || status=$$?; \
	scripts/kafka.sh up && \
	HOLDFAST_TEST_KAFKA=127.0.0.1:19092 $(CHAOS) -timeout 4h || status=$$?; \
	CLEAN=1 scripts/kafka.sh down; BROKERS=3 scripts/kafka.sh up; \
	HOLDFAST_TEST_KAFKA=127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094 $(CHAOS) -timeout 1h -run Broker || status=$$?; \
	CLEAN=1 scripts/kafka.sh down; exit $$status

.PHONY: test-upgrade
test-upgrade: ## Replace a former version's programs by these while orders are placed (FROM=commit; needs the history)
	@former=$$(scripts/former.sh $(FROM)) && HOLDFAST_TEST_FORMER=$$former $(CHAOS) -timeout 15m -run Upgrade

.PHONY: test-rolling
test-rolling: kafka-up ## Restart and kill replicas of order-api on Apache Kafka under 500 orders/s; times without service
	@status=0; HOLDFAST_TEST_ROLLING=1 HOLDFAST_TEST_KAFKA=127.0.0.1:19092 $(CHAOS) -timeout 15m -run RollingRestart || \
	status=$$?; scripts/kafka.sh down; exit $$status

.PHONY: bench-start
bench-start: kafka-up ## How long order-api takes to start behind a log on Apache Kafka, and from the log alone (EVENTS=1000000)
	@status=0; HOLDFAST_TEST_START=$(or $(EVENTS),1000000) HOLDFAST_TEST_KAFKA=127.0.0.1:19092 \
	$(CHAOS) -timeout 30m -run StartBehind || status=$$?; scripts/kafka.sh down; exit $$status

.PHONY: test-contract
test-contract: build ## Hold a running server to schemas/openapi.yaml with generated requests (EXAMPLES=300 for a night)
	@EXAMPLES=$(EXAMPLES) SEED=$(SEED) scripts/contract.sh

.PHONY: test-clickhouse
test-clickhouse: ## Meet a ClickHouse that is too old (Debian's, fetched into .local)
	@program=$$(scripts/debian.sh clickhouse-server) && HOLDFAST_TEST_OLD_CLICKHOUSE=$$program go test -count=1 -run TooOld ./pkg/clickhouse

.PHONY: test-alerts
test-alerts: ## Check alerts and dashboards with Prometheus' promtool (Debian's, fetched into .local)
	@program=$$(scripts/debian.sh prometheus promtool) && \
	HOLDFAST_TEST_PROMTOOL=$$program go test -count=1 ./deploy/observability

.PHONY: test-browser
test-browser: ## Look at a hostile web page in Chromium (Debian's, fetched into .local)
	@program=$$(scripts/debian.sh chromium-headless-shell) && \
	HOLDFAST_TEST_CHROMIUM=$$program go test -count=1 -run WebPages ./test/e2e

.PHONY: test-k8s
test-k8s: ## Operate the platform of deploy/k8s in Kubernetes under load (KUBECONFIG, or a node that it builds; as root)
	@scripts/test-k8s.sh

.PHONY: test-containers
test-containers: ## Run the images in containers, and kill some (needs a Docker engine; CI=true starts one where it is root)
	@eval "$$(scripts/docker.sh up || echo exit 1)"; [ -z "$${SKIP:-}" ] || exit 0; \
	version=test TAGS=$(TAGS); export TAGS; status=0; \
	VERSION=$$version scripts/images.sh $$(go env GOARCH) && \
	HOLDFAST_TEST_IMAGES=$$version go test -count=1 -v -timeout 10m ./test/containers || status=$$?; \
	scripts/docker.sh down; exit $$status

.PHONY: kafka-up
kafka-up: ## Start Apache Kafka on 127.0.0.1:19092 (BROKERS=3 for a cluster)
	@scripts/kafka.sh up

.PHONY: kafka-down
kafka-down: ## Stop it (CLEAN=1 deletes its data)
	@scripts/kafka.sh down

.PHONY: bench
bench: build ## Load the embedded stack with orders (ARGS='--replicas 2')
	$(BIN)/holdfast bench orders $(ARGS)
	$(BIN)/holdfast bench orders --bulk $(ARGS)

.PHONY: bench-mirror
bench-mirror: build ## Mirror a log of order lines into the embedded ClickHouse (LINES=1000000)
	$(BIN)/holdfast bench mirror --lines $(or $(LINES),1000000)

.PHONY: bench-replay
bench-replay: build ## Measure insights: their replays, questions, and orders meanwhile (LINES=1000000, ARGS='--duration 0')
	$(BIN)/holdfast bench replay --lines $(or $(LINES),1000000) $(ARGS)

.PHONY: bench-peers
bench-peers: build ## Compare Holdfast with PostgreSQL and Redis (ARGS='--rounds 5 --workloads hot', KAFKA=off)
	@scripts/peers.sh bench $(ARGS)

.PHONY: test-peers
test-peers: build ## See that each peer of bench-peers works, and check what it has kept (needs PostgreSQL)
	@scripts/peers.sh test

.PHONY: lint
lint: ## Format, vet and lint Go and Protobuf
	@scripts/tools.sh lint
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' | grep -v '^schemas/gen/')); \
	if [ -n "$$unformatted" ]; then echo "not formatted: $$unformatted"; exit 1; fi
	go vet ./...
	go vet -tags noembedded ./cmd/holdfast
	cd schemas && $(LOCAL)/bin/buf lint
	scripts/breaking.sh
	go test -count=1 ./test/licences
	$(LOCAL)/bin/golangci-lint run ./...

.PHONY: licences
licences: ## Write the licences of what is linked (docs/licences.md, NOTICE, THIRD_PARTY_LICENSES)
	go test -count=1 ./test/licences -update

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what the programs call (minutes the first time)
	@scripts/vuln.sh

.PHONY: generate
generate: ## Generate Go from schemas/
	@scripts/tools.sh generate
	cd schemas && PATH=$(LOCAL)/bin:$$PATH buf generate
	PATH=$(LOCAL)/bin:$$PATH go generate ./...

.PHONY: clean
clean: ## Delete what was built
	rm -rf $(BIN) coverage.out
