package service

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/tracing"
)

// EnvPrefix is the prefix of every environment variable: the flag --data-dir is HOLDFAST_DATA_DIR.
const EnvPrefix = "HOLDFAST"

// DefaultAdminListen is where metrics and profiles are: on this machine alone, because profiles show what a process
// does. AdminOff is the address of no admin port.
const (
	DefaultAdminListen = "127.0.0.1:9464"
	AdminOff           = "off"
)

// EventLog has the settings that say where the event log is, and how to reach it.
type EventLog struct {
	Kafka, Env, TopicPrefix string
	Security                eventlog.Security
}

// Register adds the flags of the event log. Each value is checked when it is read.
func (e *EventLog) Register(fs *flag.FlagSet) {
	e.Kafka = "127.0.0.1:9092"
	fs.Var(checked{&e.Kafka, checkAddresses}, "kafka",
		"brokers, `HOST:PORT`, comma-separated")
	fs.StringVar(&e.Env, "env", "holdfast",
		"`NAME` of the platform, before its transactional IDs and consumer groups, where several share a cluster")
	fs.StringVar(&e.TopicPrefix, "topic-prefix", "",
		"`PREFIX` of the names of all topics, where several platforms share a cluster")
	fs.BoolVar(&e.Security.TLS, "kafka-tls", false,
		"reach the brokers over TLS; so do kafka-ca and kafka-cert")
	fs.StringVar(&e.Security.CAFile, "kafka-ca", "",
		"`FILE` of the authorities (PEM) that sign the brokers' certificates; empty: those of the system")
	fs.StringVar(&e.Security.CertFile, "kafka-cert", "",
		"`FILE` of this client's certificate (PEM), if the brokers ask for one; "+
			"the files of certificates and keys are read again when they change")
	fs.StringVar(&e.Security.KeyFile, "kafka-key", "",
		"`FILE` of the key (PEM) of kafka-cert")
	fs.StringVar(&e.Security.Mechanism, "kafka-sasl-mechanism", "",
		"`MECHANISM` if the brokers ask for a user: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	fs.StringVar(&e.Security.Username, "kafka-username", "",
		"`USER` of kafka-sasl-mechanism")
	fs.Var(secret{&e.Security.Password}, "kafka-password",
		"`PASSWORD` of kafka-username; set it in the environment, because other users can see command lines")
}

// Config is how to reach the event log. It has no seeds when Kafka is empty.
func (e *EventLog) Config() eventlog.Config {
	cfg := eventlog.Config{Env: e.Env, TopicPrefix: e.TopicPrefix, Security: e.Security}
	if e.Kafka != "" {
		cfg.Seeds = strings.Split(e.Kafka, ",")
	}
	return cfg
}

// TLS has the settings of encrypted HTTP.
type TLS struct{ Cert, Key string }

// Register adds the flags of encrypted HTTP.
func (t *TLS) Register(fs *flag.FlagSet) {
	fs.StringVar(&t.Cert, "tls-cert", "", "PEM `FILE` of the certificate of HTTP, at --listen and at --admin-listen, "+
		"followed by those of authorities between it and one that clients trust; empty: nothing is encrypted. It is read "+
		"again when it changes")
	fs.StringVar(&t.Key, "tls-key", "", "PEM `FILE` of the key of tls-cert")
}

// Common has the settings of every service.
type Common struct {
	EventLog
	TLS                TLS
	Listen, LogLevel   string
	AdminListen        string
	OTLPEndpoint       string
	AllowedHosts       string
	Partitions, Shards int
	ReplicationFactor  int
	Check, Ready       bool
	Version            bool
}

// Register adds the common flags. Each value is checked when it is read, from the command line or elsewhere.
func (c *Common) Register(fs *flag.FlagSet) {
	c.EventLog.Register(fs)
	c.TLS.Register(fs)
	c.Listen, c.AdminListen, c.LogLevel = "127.0.0.1:8080", DefaultAdminListen, "info"
	c.Partitions, c.Shards = 12, 3
	fs.Var(checked{&c.Listen, checkAddress}, "listen", "`HOST:PORT` of HTTP: the API, /healthz, /readyz")
	fs.Var(checked{&c.AdminListen, checkAdminAddress}, "admin-listen", "`HOST:PORT` for operators: metrics at /metrics "+
		"and profiles at /debug/pprof/; everybody who reaches it may read them. "+AdminOff+": nowhere")
	fs.Var(checked{&c.OTLPEndpoint, checkEndpoint}, "otlp-endpoint", "`URL` of an OpenTelemetry collector, such as "+
		"http://collector:4318, which gets traces (OTLP over HTTP); empty: that of OTEL_EXPORTER_OTLP_ENDPOINT, and where "+
		"that is not set either, nothing is traced. Other variables of OpenTelemetry, such as OTEL_TRACES_SAMPLER, count too")
	fs.StringVar(&c.AllowedHosts, "allowed-hosts", "", "`NAMES` under which HTTP may be called, comma-separated, besides "+
		"localhost and IP addresses; *: any; empty: any, or none but those if --listen is a loopback address")
	fs.Var(checked{&c.LogLevel, checkLevel}, "log-level", "`LEVEL` of the log: debug, info, warn or error")
	fs.Var(count{&c.Partitions}, "partitions", "`NUMBER` of partitions of each event topic, when the platform is created")
	fs.Var(count{&c.Shards}, "shards", "`NUMBER` of writers, when the platform is created; at most one for each partition")
	fs.Var(count{&c.ReplicationFactor}, "replication-factor",
		"`NUMBER` of replicas of each topic, when it is created; empty: one for each broker, at most 3")
	fs.BoolVar(&c.Check, "check", false, "read the settings, reach the brokers, start nothing")
	fs.BoolVar(&c.Ready, "ready", false,
		"ask the service that runs at --listen whether it is ready, start nothing; for health checks of containers")
	fs.BoolVar(&c.Version, "version", false, "print the version, start nothing")
	fs.String("config", "", "`FILE` of settings, a flag and its value on each line")
}

// Hosts are the names of AllowedHosts.
func (c *Common) Hosts() []string {
	if c.AllowedHosts == "" {
		return nil
	}
	return strings.Split(c.AllowedHosts, ",")
}

// Log is how the service of that name reaches the event log.
func (c *Common) Log(name string, log *slog.Logger, reg prometheus.Registerer) eventlog.Config {
	cfg := c.Config()
	cfg.ClientID, cfg.Logger, cfg.Registerer, cfg.ReplicationFactor = name, log, reg, int16(c.ReplicationFactor)
	return cfg
}

// Layout is the layout of a platform that this service creates. An existing platform keeps its own.
func (c *Common) Layout() eventlog.Layout {
	return eventlog.NewLayout(int32(c.Partitions), int32(c.Shards))
}

// Validate says what is wrong with settings that each are right: those that contradict others, and files.
func (c *Common) Validate() error { return errors.Join(c.Config().Check(), c.Layout().Validate()) }

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

func checkAdminAddress(s string) error {
	if s == AdminOff {
		return nil
	}
	if err := checkAddress(s); err != nil {
		return fmt.Errorf("%w, and not %s", err, AdminOff)
	}
	return nil
}

func checkEndpoint(s string) error {
	if s == "" {
		return nil
	}
	return tracing.CheckEndpoint(s)
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
