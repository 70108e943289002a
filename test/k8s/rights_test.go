package k8s_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/holdfast/holdfast/pkg/client"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/test/freeport"
)

func TestMain(m *testing.M) { chdbtest.Main(m) }

// password is that of every user of the Kafka of a test.
const password = "only-for-this-test"

// admin is the user of Kafka that may do everything.
const admin = "admin"

// programs are users of Kafka for which the manifests have rights.
var programs = []string{
	"order-api", "query-api", "inventory-projector", "analytics-projector", "replay", "verify", "auditor", "operator",
}

// secured is an Apache Kafka that asks for a user, and allows each what the manifests say.
type secured struct {
	t       *testing.T
	address string
	bin     string // a folder with the programs of this repository
}

// Each program can do its work with the rights that production gives it, and nobody but order-api may write events.
func TestProgramsHaveTheRightsThatTheyNeed(t *testing.T) {
	openCluster(t) // what the test takes is there where that test runs: Java, and Kafka's jars
	s := startSecured(t)
	s.holdfast(admin, "topics", "apply", "--partitions", "12", "--shards", "2", "--replication-factor", "1",
		"--min-insync-replicas", "1")
	s.allow(render(t, "overlays/production"))

	clickHouse := chdbtest.Database(t)
	commands := s.start("order-api", "order-api", "--data-dir", t.TempDir(), "--peer-listen", "127.0.0.1:0")
	s.start("inventory-projector", "inventory-projector")
	s.start("analytics-projector", "analytics-projector", "--clickhouse", clickHouse)
	queries := s.start("query-api", "query-api", "--data-dir", t.TempDir(), "--clickhouse", clickHouse)

	s.start("auditor", "holdfast", "verify", "--follow", "--data-dir", t.TempDir())

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	write, read := client.New(commands), client.New(queries)
	if _, err := write.RegisterItem(ctx, "A1", client.RegisterItem{Description: "White hanging heart"}); err != nil {
		t.Fatal(err)
	}
	if _, err := write.ReceiveStock(ctx, "A1", client.ReceiveStock{Quantity: 3}); err != nil {
		t.Fatal(err)
	}
	order, err := write.PlaceOrder(ctx, client.PlaceOrder{
		CustomerID: "c-1", Currency: "GBP", PaymentTerms: "on_account",
		Lines: []client.OrderLine{{SKU: "A1", Quantity: 2, UnitPrice: "2.55"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for what, ask := range map[string]func() error{
		"availability": func() error {
			row, err := read.Availability(ctx, "A1", client.After(order.Position))
			if err == nil && row.Value.Available != 1 {
				err = fmt.Errorf("%d are available", row.Value.Available)
			}
			return err
		},
		"the order": func() error {
			_, err := read.Order(ctx, order.Value.OrderID, client.After(order.Position))
			return err
		},
		"revenue": func() error {
			_, err := read.Revenue(ctx, client.ReportFilter{By: "month"}, client.After(order.Position))
			return err
		},
	} {
		if err := ask(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	s.run("replay", "analytics-projector", "replay", "insight.yaml", "--promote", "--clickhouse", clickHouse)
	s.run("verify", "holdfast", "verify", "--clickhouse", clickHouse)
	s.run("operator", "holdfast", "topics", "apply")
	s.run("operator", "holdfast", "layout", "set", "--shards", "4", "--yes")
	for _, user := range programs[1:] {
		err := s.writeEvent(ctx, user)
		// The second one is for users who may write no topic at all.
		if !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
			t.Errorf("%s writes an event: %v", user, err)
		}
	}
}

// startSecured starts Apache Kafka on this machine.
func startSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{t: t, address: freeport.Address(t), bin: t.TempDir()}
	if err := buildServices(s.bin); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("../../scripts/kafka.sh", "fetch").CombinedOutput(); err != nil {
		t.Fatalf("fetch Apache Kafka: %v\n%s", err, out)
	}
	users := fmt.Sprintf("username=%q password=%q", admin, password)
	for _, user := range append([]string{admin}, programs...) {
		users += fmt.Sprintf(" user_%s=%q", user, password)
	}
	folder, controller := t.TempDir(), freeport.Address(t)
	settings := filepath.Join(folder, "server.properties")
	text := strings.NewReplacer("ADDRESS", s.address, "CONTROLLER_AT", controller, "FOLDER", folder, "USERS",
		users).Replace(
		`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@CONTROLLER_AT
listeners=CLIENTS://ADDRESS,CONTROLLER://CONTROLLER_AT
advertised.listeners=CLIENTS://ADDRESS
listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=CLIENTS
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN
listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required USERS;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
log.dirs=FOLDER/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
add.partitions.to.txn.retry.backoff.ms=1
`)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	java := func(args ...string) *exec.Cmd {
		return exec.Command("java", append([]string{"-Xmx512m", "-cp", "../../.local/kafka/lib/*",
			"-Dlog4j2.configurationFile=../../scripts/kafka/log4j2.xml"}, args...)...)
	}
	if out, err := java("kafka.tools.StorageTool", "format", "-t", "aG9sZGZhc3QtdGVzdC0wMg", "-c", settings).
		CombinedOutput(); err != nil {
		t.Fatalf("format the log: %v\n%s", err, out)
	}
	s.process("kafka", java("kafka.Kafka", settings))
	waitUntil(t, patience, func() string {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			return err.Error()
		}
		return errorText(conn.Close())
	})
	return s
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// process runs a command until the test ends. What it says is logged if the test has failed.
func (s *secured) process(name string, command *exec.Cmd) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), name+".log")
	out, err := os.Create(file)
	if err != nil {
		s.t.Fatal(err)
	}
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
		_ = out.Close()
		if text, err := os.ReadFile(file); err == nil && s.t.Failed() {
			s.t.Logf("%s:\n%s", name, text[max(0, len(text)-4000):])
		}
	})
}

// command is a program with the settings of its user.
func (s *secured) command(user, program string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(s.bin, program), args...)
	command.Env = append(os.Environ(), "HOLDFAST_KAFKA="+s.address, "HOLDFAST_KAFKA_SASL_MECHANISM=PLAIN",
		"HOLDFAST_KAFKA_USERNAME="+user, "HOLDFAST_KAFKA_PASSWORD="+password, "HOLDFAST_REPLICATION_FACTOR=")
	return command
}

// holdfast runs the command line, which must succeed.
func (s *secured) holdfast(user string, args ...string) { s.run(user, "holdfast", args...) }

// run runs a program to its end, which must succeed.
func (s *secured) run(user, program string, args ...string) {
	s.t.Helper()
	if out, err := s.command(user, program, args...).CombinedOutput(); err != nil {
		s.t.Errorf("%s %s as %s: %v\n%s", program, strings.Join(args, " "), user, err, out)
	}
}

// start starts a service, waits until it is ready, and returns its URL.
func (s *secured) start(user, service string, args ...string) string {
	s.t.Helper()
	address := freeport.Address(s.t)
	s.process(service, s.command(user, service, append(args, "--listen", address)...))
	waitUntil(s.t, patience, func() string {
		response, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			return service + ": " + err.Error()
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return service + " is not ready: " + response.Status
		}
		return ""
	})
	return "http://" + address
}

// as is a client of Kafka.
func (s *secured) as(user string) *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.address),
		kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// operations are those that the manifests name.
var operations = map[string]kadm.ACLOperation{
	"Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite, "Describe": kmsg.ACLOperationDescribe,
	"DescribeConfigs": kmsg.ACLOperationDescribeConfigs, "Alter": kmsg.ACLOperationAlter,
}

// allow gives each KafkaUser its rights, as Strimzi does.
func (s *secured) allow(all []object) {
	s.t.Helper()
	kafka := kadm.NewClient(s.as(admin))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, o := range all {
		if o.text("kind") != "KafkaUser" {
			continue
		}
		for _, acl := range o.objects("spec", "authorization", "acls") {
			b := kadm.NewACLs().Allow("User:" + o.text("metadata", "name")).AllowHosts("*")
			name, pattern := acl.text("resource", "name"), kadm.ACLPatternLiteral
			if acl.text("resource", "patternType") == "prefix" {
				pattern = kadm.ACLPatternPrefixed
			}
			switch acl.text("resource", "type") {
			case "topic":
				b = b.Topics(name)
			case "group":
				b = b.Groups(name)
			case "transactionalId":
				b = b.TransactionalIDs(name)
			}
			var ops []kadm.ACLOperation
			list, _ := acl.at("operations").([]any)
			for _, operation := range list {
				op, ok := operations[fmt.Sprint(operation)]
				if !ok {
					s.t.Fatalf("%s: the test does not know the operation %v", o, operation)
				}
				ops = append(ops, op)
			}
			results, err := kafka.CreateACLs(ctx, b.ResourcePatternType(pattern).Operations(ops...))
			for _, result := range results {
				err = errors.Join(err, result.Err)
			}
			if err != nil {
				s.t.Fatalf("%s: %v", o, err)
			}
		}
	}
}

// writeEvent writes a record into a partition of the events.
func (s *secured) writeEvent(ctx context.Context, user string) error {
	return s.as(user).ProduceSync(ctx, &kgo.Record{Topic: "orders.events", Partition: 0, Value: []byte("x")}).FirstErr()
}
