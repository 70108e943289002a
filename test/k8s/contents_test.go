package k8s_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/holdfast/holdfast/pkg/command"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// The topics of production are those that Holdfast would create with the settings of production.
func TestProductionHasTheTopicsOfHoldfast(t *testing.T) {
	all := render(t, "overlays/production")
	variables := settings(t, all, "order-api")
	var want eventlog.Layout
	for setting, value := range map[string]any{
		"HOLDFAST_PARTITIONS": &want.PartitionCount, "HOLDFAST_SHARDS": &want.ShardCount,
	} {
		if _, err := fmt.Sscan(variables[setting], value); err != nil {
			t.Fatalf("%s is %q: %v", setting, variables[setting], err)
		}
	}
	cfg := logtest.Config(t)
	cfg.Embedded, cfg.ReplicationFactor = false, 3
	client, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	plan, err := client.PlanTopics(logtest.Context(t), want)
	if err != nil {
		t.Fatal(err)
	}
	manifests := map[string]object{}
	for _, o := range all {
		if o.text("kind") == "KafkaTopic" {
			manifests[cfg.TopicPrefix+o.text("spec", "topicName")] = o
		}
	}
	if len(manifests) != len(plan.Topics) {
		t.Errorf("production has %d topics, Holdfast %d", len(manifests), len(plan.Topics))
	}
	for _, topic := range plan.Topics {
		o, ok := manifests[topic.Topic]
		if !ok {
			t.Errorf("production has no topic %s", topic.Topic)
			continue
		}
		if o.at("spec", "partitions") != int(topic.Partitions) || o.at("spec", "replicas") != topic.ReplicationFactor {
			t.Errorf("%s has %v partitions and %v replicas, Holdfast makes %d and %d", topic.Topic,
				o.at("spec", "partitions"), o.at("spec", "replicas"), topic.Partitions, topic.ReplicationFactor)
		}
		for name, value := range topic.Config {
			if have := fmt.Sprint(o.at("spec", "config", name)); have != value {
				t.Errorf("%s has %s=%s, Holdfast makes %s", topic.Topic, name, have, value)
			}
		}
	}
}

// routed is the service to which a route sends a request. Of several matches the Gateway API takes the one with the
// exact path, or else the longest prefix, and of equal ones the one that names the method.
func routed(route object, method, path string) (service string) {
	best := 0
	for _, rule := range route.objects("spec", "rules") {
		for _, match := range rule.objects("matches") {
			value := match.text("path", "value")
			ok, rank := path == value, 1_000
			if match.text("path", "type") == "PathPrefix" {
				prefix := strings.TrimSuffix(value, "/")
				ok, rank = path == prefix || strings.HasPrefix(path, prefix+"/"), 2*len(prefix)
			}
			wants := match.text("method")
			if wants != "" {
				rank++
			}
			if ok && (wants == "" || wants == method) && rank > best {
				best, service = rank, rule.objects("backendRefs")[0].text("name")
			}
		}
	}
	return service
}

// parameter is one of a path, as the code or the document writes it.
var parameter = regexp.MustCompile(`:[a-z_]+|\{[a-z_]+\}`)

// Commands, API keys and locations go to order-api, and every other operation of the API to query-api.
func TestTheRouteSendsOperationsToTheirService(t *testing.T) {
	var route object
	for _, o := range render(t, "overlays/production") {
		if o.text("kind") == "HTTPRoute" {
			route = o
		}
	}
	commands := map[string]bool{http.MethodPost + " /v1/commands": true}
	for _, r := range command.Routes() {
		commands[r.Method+" "+parameter.ReplaceAllString(r.Path, "x")] = true
	}
	text, err := os.ReadFile("../../schemas/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for path, operations := range document.Paths {
		for method := range operations {
			method = strings.ToUpper(method)
			if !strings.HasPrefix(path, "/v1/") || method == "PARAMETERS" {
				continue
			}
			want := "query-api"
			if commands[method+" "+parameter.ReplaceAllString(path, "x")] || strings.HasPrefix(path, "/v1/keys") ||
				strings.HasPrefix(path, "/v1/locations") {
				want = "order-api"
			}
			if have := routed(route, method, path); have != want {
				t.Errorf("%s %s goes to %q, want %s", method, path, have, want)
			}
			checked++
		}
	}
	if checked < len(commands) {
		t.Errorf("%d operations are in the document, and %d are commands", checked, len(commands))
	}
}

// inQuery finds the metrics in a question to Prometheus.
var inQuery = regexp.MustCompile(`holdfast_\w+`)

// Autoscaling asks for metrics that there are.
func TestAutoscalingAsksForMetricsThatThereAre(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, o := range render(t, "overlays/production") {
		for _, trigger := range o.objects("spec", "triggers") {
			for _, metric := range inQuery.FindAllString(trigger.text("metadata", "query"), -1) {
				asked++
				if !strings.Contains(string(page), metric) {
					t.Errorf("%s asks for %s, which no service has", o, metric)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("nothing is asked for")
	}
}
