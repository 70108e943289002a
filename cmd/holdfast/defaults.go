package main

// Defaults of the embedded platform.
const (
	defaultListen           = "127.0.0.1:8080"
	defaultKafkaListen      = "127.0.0.1:9092"
	defaultClickHouseListen = "127.0.0.1:8123" // ClickHouse's own default
	defaultDir              = ".local/dev"
)

// noClickHouse is the value of --clickhouse without one.
const noClickHouse = "off"
