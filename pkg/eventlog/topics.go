package eventlog

import "github.com/twmb/franz-go/pkg/kadm"

// The topics. A new topic needs a name here and a row in the table below.
const (
	TopicOrders       = "orders.events"
	TopicInventory    = "inventory.events"
	TopicAvailability = "inventory.availability"
	TopicShards       = "holdfast.shards"
	TopicLayout       = "holdfast.layout"
	// TopicPlans has changes of the layout that are being made.
	TopicPlans = "holdfast.plans"
	// TopicRestore says how far the import of an archive is. Only a platform that was restored has it.
	TopicRestore = "holdfast.restore"
	// TopicDeadLetters names the events that the mirror could not read.
	TopicDeadLetters = "analytics.dead_letters"
	// TopicQuarantine has the decisions which records no reader reads.
	TopicQuarantine = "holdfast.quarantine"
	// TopicInsights has the decisions about insights: their definitions, replays, and which version is live.
	TopicInsights = "holdfast.insights"
	// TopicKeys has what became of each API key.
	TopicKeys = "holdfast.keys"
	// TopicCatalog has the names that no partition of the event topics can answer for alone: locations.
	TopicCatalog = "catalog.events"
)

// topicSpec says how a topic is created and checked.
type topicSpec struct {
	name       string
	partitions func(Layout) int32
	config     func(embedded bool) topicConfig
	// source means that no other topic has the same data. All other topics can be built again from the sources.
	source bool
	// grows means that partitions are added when the layout wants more. Other topics must have exactly their number,
	// because it decides in which partition a key is.
	grows bool
	// onDemand means that the topic is created when something is written to it first.
	onDemand bool
}

// topicConfig is a topic's configuration, by the names of Kafka.
type topicConfig map[string]*string

var topics = []topicSpec{
	{name: TopicOrders, partitions: eventPartitions, config: keepForEver, source: true},
	{name: TopicInventory, partitions: eventPartitions, config: keepForEver, source: true},
	{name: TopicLayout, partitions: onePartition, config: keepForEver, source: true},
	{name: TopicQuarantine, partitions: onePartition, config: keepForEver, source: true},
	{name: TopicInsights, partitions: onePartition, config: keepForEver, source: true},
	{name: TopicKeys, partitions: onePartition, config: keepForEver, source: true},
	{name: TopicCatalog, partitions: onePartition, config: keepForEver, source: true},
	{name: TopicAvailability, partitions: eventPartitions, config: keepNewest},
	{name: TopicDeadLetters, partitions: onePartition, config: keepForEver},
	{name: TopicShards, partitions: shardPartitions, config: keepAnHour, grows: true},
	{name: TopicPlans, partitions: onePartition, config: keepAnHour},
	{name: TopicRestore, partitions: onePartition, config: keepForEver, onDemand: true},
}

func eventPartitions(l Layout) int32 { return l.PartitionCount }
func shardPartitions(l Layout) int32 { return l.ShardCount }
func onePartition(Layout) int32      { return 1 }

// keepForEver sets every limit explicitly, because the brokers' defaults may delete records.
func keepForEver(bool) topicConfig {
	return topicConfig{
		"retention.ms":    kadm.StringPtr("-1"),
		"retention.bytes": kadm.StringPtr("-1"),
		"cleanup.policy":  kadm.StringPtr("delete"),
	}
}

// keepNewest keeps the last record of each key. The embedded broker keeps all: it loses committed data when it
// compacts.
func keepNewest(embedded bool) topicConfig {
	if embedded {
		return keepForEver(embedded)
	}
	return topicConfig{"cleanup.policy": kadm.StringPtr("compact")}
}

// keepAnHour starts a new segment every ten minutes, because brokers delete whole segments only. Where the brokers'
// default is to compact, they would refuse announcements, which have no key: so the policy is explicit.
func keepAnHour(bool) topicConfig {
	return topicConfig{
		"retention.ms":   kadm.StringPtr("3600000"),
		"segment.ms":     kadm.StringPtr("600000"),
		"cleanup.policy": kadm.StringPtr("delete"),
	}
}

// sourceTopics are the names of the topics that cannot be built again.
func sourceTopics() []string {
	var names []string
	for _, t := range topics {
		if t.source {
			names = append(names, t.name)
		}
	}
	return names
}
