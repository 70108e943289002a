package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// cluster is a broker that the command line takes for a real one.
func cluster(t *testing.T) (address string, topics func() []string) {
	t.Helper()
	kafka, err := devstack.StartKafka(t.Context(), devstack.KafkaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	return kafka.Addrs()[0], func() []string {
		// A new client each time, because a client remembers topics for a while.
		client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addrs()...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		listed, err := kadm.NewClient(client).ListTopics(logtest.Context(t))
		if err != nil {
			t.Fatal(err)
		}
		return listed.Names()
	}
}

// A load test on a cluster deletes its topics, unless a flag names the platform.
func TestBenchLeavesNoTopicsBehind(t *testing.T) {
	kafka, topics := cluster(t)
	t.Setenv("HOLDFAST_TOPIC_PREFIX", "production.") // not meant for a load test
	load := []string{
		"bench", "orders", "--kafka", kafka, "--orders", "20", "--skus", "3", "--concurrency", "4", "--quiet",
	}
	if out, err := holdfast(t, load...); err != nil || !strings.Contains(out, "201 × 20") {
		t.Fatalf("%v\n%s", err, out)
	}
	holdfastFails(t, "3 replicas need as many brokers", append(load, "--replication-factor", "3")...)
	if left := topics(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if out, err := holdfast(t, append(load, "--topic-prefix", "kept.", "--env", "kept")...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := topics(); len(left) == 0 || !strings.HasPrefix(left[0], "kept.") {
		t.Fatalf("named by a prefix, the platform has %v", left)
	}
	named := append(load, "--topic-prefix", "kept.", "--env", "kept")
	holdfastFails(t, "number of shards of the platform is 1", append(named, "--shards", "2")...)
	t.Setenv("HOLDFAST_TOPIC_PREFIX", "kept.")
	// Availability may be behind: the load test did not wait for it.
	if out, err := holdfast(t, "verify", "--kafka", kafka, "--view-wait", "0s"); !strings.Contains(out, "orders  20 ") {
		t.Errorf("verify does not read the prefix from the environment: %v\n%s", err, out)
	}
}

// A cluster is only used when a flag names it.
func TestTheEnvironmentAloneStartsNothingOnACluster(t *testing.T) {
	kafka, topics := cluster(t)
	t.Setenv("HOLDFAST_KAFKA", kafka)
	args := []string{"bench", "orders", "--orders", "5", "--skus", "3", "--quiet", "--topic-prefix", "x."}
	if out, err := holdfast(t, args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := topics(); len(left) > 0 {
		t.Errorf("it wrote %v", left)
	}
}

// noBroker is the error for an address without a broker.
const noBroker = "no Kafka broker answers at 127.0.0.1:1 (--kafka or HOLDFAST_KAFKA names others)"

func TestImportReadsThePlatformThatIsNamed(t *testing.T) {
	kafka, topics := cluster(t)
	demo := []string{
		"demo", "--exit", "--orders", "30", "--clickhouse", "off", "--listen", "127.0.0.1:0", "--admin-listen", "off",
		"--kafka", kafka, "--topic-prefix", "shop.", "--env", "shop",
	}
	out, err := holdfast(t, demo...)
	if err != nil || !strings.Contains(out, "Reconciled:") {
		t.Fatalf("%v\n%s", err, out)
	}
	other := func(topic string) bool { return !strings.HasPrefix(topic, "shop.") }
	if all := topics(); len(all) == 0 || slices.ContainsFunc(all, other) {
		t.Errorf("the platform has %v", all)
	}
	out, err = holdfast(t, append(demo, "--shards", "2", "--partitions", "4")...)
	if err != nil || !strings.Contains(out, "--shards 2 has no effect: the platform was created with 1") ||
		!strings.Contains(out, "--partitions 4 has no effect") {
		t.Errorf("settings of a platform that is there: %v\n%s", err, out)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--topic-prefix", "shop."}, "none.csv"}, // it gets as far as the file
		{[]string{"--kafka", "127.0.0.1:1"}, noBroker},
	} {
		args := []string{"import", "online-retail", "none.csv", "--clickhouse", "off", "--kafka", kafka}
		holdfastFails(t, test.want, append(args, test.args...)...)
	}
}

func TestAPlatformThatIsNotThereIsNamed(t *testing.T) {
	kafka, _ := cluster(t)
	for _, command := range []string{
		"dead-letters ls", "dead-letters show orders.events/0/0", "dead-letters retry", "verify",
	} {
		for _, test := range []struct {
			args []string
			want string
		}{
			{[]string{"--kafka", "127.0.0.1:1"}, noBroker},
			{
				[]string{"--kafka", kafka, "--topic-prefix", "shop."},
				"no platform at " + kafka + ` whose topics begin with "shop." ` +
					"(--kafka and --topic-prefix, or HOLDFAST_KAFKA and HOLDFAST_TOPIC_PREFIX, name others)",
			},
		} {
			holdfastFails(t, test.want, append(strings.Fields(command), test.args...)...)
		}
	}
}

func TestAnEnvironmentThatIsNoneIsNamed(t *testing.T) {
	t.Setenv("HOLDFAST_KAFKA", "no-port")
	holdfastFails(t, `HOLDFAST_KAFKA: "no-port" is not host:port`, "verify")
}

// The command line presents itself as the services do, and never shows a password.
func TestBrokersThatAskForAUser(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "shop", "p-word"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	address := cluster.ListenAddrs()[0]
	t.Setenv("HOLDFAST_KAFKA_SASL_MECHANISM", "PLAIN")
	t.Setenv("HOLDFAST_KAFKA_USERNAME", "shop")
	for _, test := range []struct{ command, password, want string }{
		{"dead-letters ls", "guess", `check that they know user "shop"`},
		{"verify", "guess", `check that they know user "shop"`},
		{"verify", "p-word", "the platform has not been created"},
	} {
		t.Setenv("HOLDFAST_KAFKA_PASSWORD", test.password)
		holdfastFails(t, test.want, append(strings.Fields(test.command), "--kafka", address)...)
		if help, err := holdfast(t, "verify", "--help"); err != nil || strings.Contains(help, test.password) {
			t.Errorf("%v\n%s", err, help)
		}
	}
	args := []string{"bench", "orders", "--kafka", address, "--orders", "3", "--skus", "3", "--quiet"}
	if out, err := holdfast(t, args...); err != nil {
		t.Errorf("bench: %v\n%s", err, out)
	}
}
