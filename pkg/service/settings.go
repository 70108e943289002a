package service

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/peterbourgon/ff/v3"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// EnvPrefix is the prefix of every environment variable: the flag --data-dir is HOLDFAST_DATA_DIR.
const EnvPrefix = "HOLDFAST"

// EventLog has the settings that say where the event log is, and how to reach it.
type EventLog struct {
	Kafka, Env, TopicPrefix string
	Security                eventlog.Security
}

// Register adds the flags of the event log. Each value is checked when it is read.
func (e *EventLog) Register(fs *flag.FlagSet) {
	e.Kafka = "127.0.0.1:9092"
	fs.Var(checked{&e.Kafka, checkAddresses}, "kafka",
		"brokers, `host:port`, comma-separated")
	fs.StringVar(&e.Env, "env", "holdfast",
		"prefix of transactional ids and group names, where several platforms share a cluster")
	fs.StringVar(&e.TopicPrefix, "topic-prefix", "",
		"put before the name of every topic, where several platforms share a cluster")
	fs.BoolVar(&e.Security.TLS, "kafka-tls", false,
		"reach the brokers over TLS; kafka-ca and kafka-cert do so too")
	fs.StringVar(&e.Security.CAFile, "kafka-ca", "",
		"`file` of the certificates (PEM) that those of the brokers are signed with; empty: the system's")
	fs.StringVar(&e.Security.CertFile, "kafka-cert", "",
		"`file` of this client's certificate (PEM), where brokers ask for one. "+
			"This file, that of kafka-key and that of kafka-ca are read again when they change")
	fs.StringVar(&e.Security.KeyFile, "kafka-key", "",
		"`file` of the key (PEM) of kafka-cert")
	fs.StringVar(&e.Security.Mechanism, "kafka-sasl-mechanism", "",
		"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, where brokers ask for a user")
	fs.StringVar(&e.Security.Username, "kafka-username", "",
		"user of kafka-sasl-mechanism")
	fs.Var(secret{&e.Security.Password}, "kafka-password",
		"password of kafka-username; rather in the environment than on a command line, which others see")
}

// Config is how to reach the event log. It has no seeds when Kafka is empty.
func (e *EventLog) Config() eventlog.Config {
	cfg := eventlog.Config{Env: e.Env, TopicPrefix: e.TopicPrefix, Security: e.Security}
	if e.Kafka != "" {
		cfg.Seeds = strings.Split(e.Kafka, ",")
	}
	return cfg
}

// Common has the settings of every service.
type Common struct {
	EventLog
	Listen, LogLevel   string
	Partitions, Shards int
	ReplicationFactor  int
	Check, Ready       bool
}

// Register adds the common flags. Each value is checked when it is read, from the command line or elsewhere.
func (c *Common) Register(fs *flag.FlagSet) {
	c.EventLog.Register(fs)
	c.Listen, c.LogLevel, c.Partitions, c.Shards = "127.0.0.1:8080", "info", 12, 3
	fs.Var(checked{&c.Listen, checkAddress}, "listen", "`host:port` of HTTP: the API, /healthz, /readyz, /metrics")
	fs.Var(checked{&c.LogLevel, checkLevel}, "log-level", "debug, info, warn or error")
	fs.Var(count{&c.Partitions}, "partitions", "partitions of each event topic, when the platform is created")
	fs.Var(count{&c.Shards}, "shards", "writers, when the platform is created; at most one a partition")
	fs.Var(count{&c.ReplicationFactor}, "replication-factor",
		"replicas of each topic, when it is created; empty: one for each broker that is there, at most 3")
	fs.BoolVar(&c.Check, "check", false, "read the settings, reach the brokers, start nothing")
	fs.BoolVar(&c.Ready, "ready", false,
		"ask the service that runs at listen whether it is ready, start nothing; for health checks of containers")
	fs.String("config", "", "file of settings, a flag and its value a line")
}

// Log is how the service of that name reaches the event log.
func (c *Common) Log(name string, log *slog.Logger, reg prometheus.Registerer) eventlog.Config {
	cfg := c.Config()
	cfg.ClientID, cfg.Logger, cfg.Registerer, cfg.ReplicationFactor = name, log, reg, int16(c.ReplicationFactor)
	return cfg
}

// Layout is the layout of a platform that this service creates. An existing platform keeps its own.
func (c *Common) Layout() eventlog.Layout {
	return eventlog.Layout{PartitionCount: int32(c.Partitions), ShardCount: int32(c.Shards)}
}

// Parse reads the settings. Flags win over the environment, that wins over the file, and that over the defaults. --help
// prints all of them.
func Parse(fs *flag.FlagSet, args []string) error {
	fs.Usage = func() { fmt.Fprint(fs.Output(), usage(fs)) }
	err := ff.Parse(fs, args,
		ff.WithEnvVarPrefix(EnvPrefix),
		ff.WithConfigFileFlag("config"),
		ff.WithConfigFileParser(ff.PlainParser),
	)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return fmt.Errorf("settings: %w", err)
	}
	return err
}

// Variable is the environment variable of a flag.
func Variable(name string) string {
	return EnvPrefix + "_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// usage lists the settings with their variables and defaults. A test makes docs/config.md from it.
func usage(fs *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Settings of %s:\n", fs.Name())
	fs.VisitAll(func(f *flag.Flag) {
		placeholder, meaning := flag.UnquoteUsage(f)
		byDefault := f.DefValue
		if byDefault == "" {
			byDefault = "empty"
		}
		fmt.Fprintf(&b, "\n  --%s %s\n      %s\n      %s, default %s\n",
			f.Name, placeholder, meaning, Variable(f.Name), byDefault)
	})
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

// checked is a text setting that a function checks.
type checked struct {
	value *string
	check func(string) error
}

// Set implements flag.Value.
func (c checked) Set(s string) error {
	if err := c.check(s); err != nil {
		return err
	}
	*c.value = s
	return nil
}

// String implements flag.Value.
func (c checked) String() string {
	if c.value == nil {
		return ""
	}
	return *c.value
}

// secret is a text setting that neither help nor errors show.
type secret struct{ value *eventlog.Secret }

// Set implements flag.Value.
func (s secret) Set(text string) error {
	*s.value = eventlog.Secret(text)
	return nil
}

// String implements flag.Value.
func (secret) String() string { return "" }

// count is a setting from 1 to the largest number of partitions; 0 until it is set.
type count struct{ value *int }

// Set implements flag.Value.
func (c count) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > eventlog.MaxPartitionCount {
		return fmt.Errorf("it is not a number from 1 to %d", eventlog.MaxPartitionCount)
	}
	*c.value = n
	return nil
}

// String implements flag.Value.
func (c count) String() string {
	if c.value == nil || *c.value == 0 {
		return ""
	}
	return strconv.Itoa(*c.value)
}

func checkAddress(s string) error {
	if _, _, err := net.SplitHostPort(s); err != nil {
		return fmt.Errorf("%q is not host:port", s)
	}
	return nil
}

func checkAddresses(s string) error {
	for address := range strings.SplitSeq(s, ",") {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	return nil
}

func checkLevel(s string) error {
	_, err := parseLevel(s)
	return err
}
