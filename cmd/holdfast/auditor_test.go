package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/test/freeport"
)

func TestTheAuditorsSettings(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--ready"}, "--ready asks the auditor: add --follow"},
		{[]string{"--grace", "4s"}, "--grace is a setting of the auditor: add --follow, or leave it out"},
		{[]string{"--follow", "--acks", "x"}, "--acks is of a verification that ends: leave it out, or leave out --follow"},
		{[]string{"--follow", "--clickhouse", "x"}, "--clickhouse is of a verification that ends"},
		{[]string{"--follow", "--grace", "1s"}, "--grace 1s is less than 2s"},
		{[]string{"--follow", "--grace", "1m", "--overdue-after", "2s"}, "--overdue-after 2s is less than --grace 1m0s"},
		{[]string{"--follow", "--log-level", "loud"}, `log level "loud" is none of debug, info, warn, error`},
	} {
		holdfastFails(t, test.want, append([]string{"verify"}, test.args...)...)
	}
	t.Setenv("HOLDFAST_GRACE", "soon")
	holdfastFails(t, "HOLDFAST_GRACE", "verify", "--follow")
}

// The auditor waits for its platform, follows it, and says in /readyz what it has found.
func TestTheAuditorFollowsAPlatform(t *testing.T) {
	cfg := logtest.Config(t)
	listen, admin := freeport.Address(t), freeport.Address(t)
	ctx, stop := context.WithTimeout(t.Context(), logtest.Patience)
	defer stop()
	ended := make(chan error, 1)
	c := newRootCommand()
	c.SetArgs([]string{
		"verify", "--follow", "--kafka", strings.Join(cfg.Seeds, ","), "--env", cfg.Env, "--topic-prefix", cfg.TopicPrefix,
		"--data-dir", t.TempDir(), "--listen", listen, "--admin-listen", admin, "--log-level", "error",
	})
	go func() { ended <- c.ExecuteContext(ctx) }()
	await(t, ctx, listen, "it waits for the platform")
	health := []string{"verify", "--follow", "--ready", "--listen", listen}
	if _, err := holdfast(t, health...); err == nil || !strings.Contains(err.Error(), "it waits for the platform") {
		t.Errorf("--ready: %v", err)
	}
	client, err := eventlog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.EnsurePlatform(ctx, eventlog.Layout{PartitionCount: 1, ShardCount: 1}); err != nil {
		t.Fatal(err)
	}
	await(t, ctx, listen, `"status":"ready"`)
	if _, err := holdfast(t, health...); err != nil {
		t.Errorf("--ready: %v", err)
	}
	garbage := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders}, Key: []byte("o"), Value: []byte("garbage"),
	}
	if err := client.Produce(ctx, []*eventlog.Record{garbage}); err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Auditor struct{ Violations map[string]int }
	}
	if err := json.Unmarshal([]byte(await(t, ctx, listen, `"ENV":1`)), &answer); err != nil {
		t.Fatal(err)
	}
	if n := answer.Auditor.Violations["ENV"]; n != 1 || len(answer.Auditor.Violations) != 1 {
		t.Errorf("it finds %v", answer.Auditor.Violations)
	}
	metrics := metricsAt(t, ctx, admin)
	if !strings.Contains(metrics, `holdfast_verify_violations_total{invariant="ENV"} 1`) {
		t.Errorf("the metrics are\n%s", metrics)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// metricsAt are the metrics at an admin port.
func metricsAt(t *testing.T, ctx context.Context, admin string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// An auditor without Kafka says which brokers are silent.
func TestTheAuditorWaitsForKafka(t *testing.T) {
	brokers, listen := freeport.Address(t), freeport.Address(t)
	ctx, stop := context.WithTimeout(t.Context(), logtest.Patience)
	defer stop()
	ended := make(chan error, 1)
	c := newRootCommand()
	c.SetArgs([]string{
		"verify", "--follow", "--kafka", brokers, "--data-dir", t.TempDir(), "--listen", listen, "--admin-listen", "off",
		"--log-level", "error",
	})
	go func() { ended <- c.ExecuteContext(ctx) }()
	await(t, ctx, listen, "no Kafka broker at "+brokers+" has answered since ")
	stop()
	<-ended
}

// await waits until /readyz says something.
func await(t *testing.T, ctx context.Context, listen, what string) string {
	t.Helper()
	said := ""
	for poll := time.NewTicker(5 * time.Millisecond); ; <-poll.C {
		if ctx.Err() != nil {
			t.Fatalf("/readyz never says %q, but %q", what, said)
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+listen+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if said = string(body); err == nil && strings.Contains(said, what) {
			return said
		}
	}
}
