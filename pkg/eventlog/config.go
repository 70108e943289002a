package eventlog

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"

	"github.com/holdfast/holdfast/pkg/certs"
)

// Config says how to reach the Kafka cluster.
type Config struct {
	// Seeds are host:port addresses of some brokers. One that answers is enough.
	Seeds []string
	// Security is for brokers that use TLS or authentication.
	Security Security
	// ClientID names this process to the brokers and in metrics. Default "holdfast".
	ClientID string
	// Env is the prefix of transactional ids and group names, so that several platforms can share a cluster. Default
	// "holdfast".
	Env string
	// Logger gets the client's warnings and errors. Default: none.
	Logger *slog.Logger
	// Embedded says that the broker is the one in this process: it gets replication factor 1 and no compaction.
	Embedded bool
	// ReplicationFactor is that of new topics; 0: min(3, number of brokers).
	ReplicationFactor int16
	// MinInSyncReplicas is how many replicas of a new topic must have a record before it is acknowledged; 0: two of three
	// or more, and one of fewer.
	MinInSyncReplicas int16
	// TopicPrefix is put before every topic's name in the cluster. Other packages never see it.
	TopicPrefix string
	// Registerer gets the client's metrics when set.
	Registerer prometheus.Registerer
	// TraceHeaders has followers give the headers of records, which name the traces that they belong to.
	TraceHeaders bool

	certificates *certs.Source // from the files of Security; nil until the first client was opened
}

// metadataMinAge is how soon a client may ask for metadata again. With the Kafka client's default a producer waits five
// seconds at its first record to a new topic.
const metadataMinAge = 100 * time.Millisecond

var (
	envPattern    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$`)
	prefixPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{0,100}$`)
)

// withDefaults returns the configuration with defaults for empty fields.
func (c Config) withDefaults() Config {
	if c.ClientID == "" {
		c.ClientID = "holdfast"
	}
	if c.Env == "" {
		c.Env = "holdfast"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports every mistake in the configuration.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	if len(c.Seeds) == 0 {
		errs = append(errs, errors.New("kafka: no seed broker is configured; give at least one host:port"))
	}
	for _, seed := range c.Seeds {
		if _, _, err := net.SplitHostPort(seed); err != nil {
			errs = append(errs, fmt.Errorf("kafka: seed broker %q is not host:port: %w", seed, err))
		}
	}
	if !envPattern.MatchString(c.Env) {
		errs = append(errs, fmt.Errorf(
			"kafka: environment name %q: use 1 to 64 letters, digits, dots, dashes or underscores", c.Env))
	}
	if !prefixPattern.MatchString(c.TopicPrefix) {
		errs = append(errs, fmt.Errorf(
			"kafka: topic prefix %q: use at most 100 letters, digits, dots, dashes or underscores", c.TopicPrefix))
	}
	if c.ReplicationFactor < 0 {
		errs = append(errs, fmt.Errorf("kafka: replication factor %d is negative", c.ReplicationFactor))
	}
	if c.MinInSyncReplicas < 0 {
		errs = append(errs, fmt.Errorf("kafka: %d in-sync replicas are negative", c.MinInSyncReplicas))
	}
	return errors.Join(append(errs, c.Security.validate())...)
}

// Check is Validate, and also reads the files of certificates and keys.
func (c Config) Check() error {
	_, err := c.Security.tlsConfig()
	return errors.Join(c.Validate(), err)
}

// clusterTopic is the topic's name in the cluster.
func (c *Config) clusterTopic(topic string) string { return c.TopicPrefix + topic }

// ownTopic is the topic's name outside this package. It does not allocate.
func (c *Config) ownTopic(clusterTopic string) string {
	return strings.TrimPrefix(clusterTopic, c.TopicPrefix)
}

// newClient opens a Kafka client. Its metrics are registered under the label metricsName, unless that is empty.
func (c *Config) newClient(metricsName string, opts ...kgo.Opt) (*kgo.Client, error) {
	base := []kgo.Opt{
		kgo.SeedBrokers(c.Seeds...),
		kgo.ClientID(c.ClientID),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.WithLogger(clientLogger{c.Logger}),
		// Brokers may ask clients to push metrics (KIP-714). Ours are scraped, and the push would delay closing.
		kgo.DisableClientMetrics(),
	}
	if c.Registerer != nil && metricsName != "" {
		labels := prometheus.Labels{"client": c.ClientID + "/" + metricsName}
		base = append(base, kgo.WithHooks(kprom.NewMetrics("holdfast_kafka",
			kprom.Registerer(lenientRegisterer{prometheus.WrapRegistererWith(labels, c.Registerer)}),
			kprom.FetchAndProduceDetail(
				kprom.ByTopic, kprom.Records, kprom.Batches, kprom.CompressedBytes, kprom.ConsistentNaming),
		)))
	}
	base = append(base, c.Security.sasl()...)
	if c.Security.tls() {
		if c.certificates == nil {
			var err error
			if c.certificates, err = c.Security.certificates(c.Logger); err != nil {
				return nil, err
			}
		}
		base = append(base, dialTLS(c.certificates))
	}
	cl, err := kgo.NewClient(append(base, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return cl, nil
}

// lenientRegisterer ignores metrics that are registered already: a new writer of a shard may be opened before the
// former one in the same process is closed, and both have the same metrics.
type lenientRegisterer struct{ prometheus.Registerer }

// MustRegister registers the collectors that are not registered yet.
func (r lenientRegisterer) MustRegister(cs ...prometheus.Collector) {
	for _, collector := range cs {
		var registered prometheus.AlreadyRegisteredError
		if err := r.Register(collector); err != nil && !errors.As(err, &registered) {
			panic(err)
		}
	}
}
