package run

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/holdfast/holdfast/pkg/backoff"
	"github.com/holdfast/holdfast/pkg/devstack"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	"github.com/holdfast/holdfast/pkg/httpapi"
	"github.com/holdfast/holdfast/test/freeport"
)

// With --check a service reads its settings and reaches the brokers, and starts nothing.
func TestCheckStartsNothing(t *testing.T) {
	run := func(context.Context, Service) error { return errors.New("started") }
	check := func(context.Context) error { return errors.New("no ClickHouse") }
	brokers := strings.Join(logtest.Config(t).Seeds, ",")
	for _, test := range []struct {
		check func(context.Context) error
		args  []string
		want  string
	}{
		{nil, []string{"--kafka", brokers, "--check"}, ""},
		{nil, []string{"--kafka", brokers, "--admin-listen", "off"}, "started"},
		{check, []string{"--kafka", brokers, "--admin-listen", "off"}, "started"},
		{check, []string{"--kafka", brokers, "--check"}, "no ClickHouse"},
		{nil, []string{"--kafka", "127.0.0.1:1", "--check"}, "reach the brokers: "},
		{nil, []string{"--kafka", "nowhere", "--check"}, "settings: "},
		{nil, []string{"--log-level", "loud"}, "settings: "},
	} {
		p := Program{Name: "service", Run: run, Check: test.check}
		err := p.Start(logtest.Context(t), test.args)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
	}
}

// A service that is started before Kafka waits for it, and says so. Told to stop meanwhile, it ends.
func TestAServiceWaitsForTheBrokers(t *testing.T) {
	kafkaAt, listen := freeport.Address(t), freeport.Address(t)
	args := []string{"--kafka", kafkaAt, "--listen", listen, "--admin-listen", "off"}
	started := make(chan struct{})
	p := Program{Name: "service", Run: func(context.Context, Service) error { close(started); return nil }}
	ended := make(chan error, 1)

	ctx, stop := context.WithCancel(logtest.Context(t))
	go func() { ended <- p.Start(ctx, args) }()
	wants := []string{"not_ready", "no Kafka broker at " + kafkaAt + " has answered since ", "--kafka names them"}
	for _, want := range wants {
		awaitAnswer(t, listen, "/readyz", http.StatusServiceUnavailable, want)
	}
	awaitAnswer(t, listen, "/healthz", http.StatusOK, "ok")
	awaitAnswer(t, listen, "/v1/orders", http.StatusServiceUnavailable, `"code":"unavailable","detail":"`+waits+`"`)
	if err := Ready(ctx, listen, httpapi.TLS{}); err == nil || !strings.Contains(err.Error(), kafkaAt) {
		t.Errorf("--ready: %v", err)
	}
	stop()
	if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), "no broker has answered: ") {
		t.Errorf("told to stop: %v", err)
	}

	go func() { ended <- p.Start(logtest.Context(t), args) }()
	awaitAnswer(t, listen, "/readyz", http.StatusServiceUnavailable, kafkaAt)
	kafka, err := devstack.StartKafka(logtest.Context(t), devstack.KafkaOptions{Listen: kafkaAt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-started
	if l, err := net.Listen("tcp", listen); err != nil {
		t.Errorf("the service's address is not free for it: %v", err)
	} else {
		l.Close()
	}
}

// The wait for Kafka is told once, not with each attempt, and then seldom: with the brokers, and why they are silent.
func TestTheWaitForBrokersIsToldOnce(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	for _, test := range []struct{ brokers, why string }{
		{freeport.Address(t), "connection refused"},
		{mute.Addr().String(), "no answer"},
	} {
		var told strings.Builder
		client, err := eventlog.Open(eventlog.Config{Seeds: []string{test.brokers}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		w := NewBrokerWait(client, slog.New(slog.NewTextHandler(&told, nil)))
		silence := w.ask(logtest.Context(t))
		for _, step := range []struct {
			waits, toldBefore time.Duration // 0: never
			times             int
		}{{0, 0, 0}, {time.Minute, 0, 1}, {time.Minute, time.Second, 1}, {time.Hour, toldEvery, 2}} {
			w.began = time.Now().Add(-step.waits)
			if step.toldBefore > 0 {
				w.toldAt = time.Now().Add(-step.toldBefore)
			}
			w.note(silence)
			if n := strings.Count(told.String(), "waits for Kafka"); n != step.times {
				t.Errorf("after %s it was told %d times, not %d", step.waits, n, step.times)
			}
		}
		if text := told.String(); !strings.Contains(text, test.brokers) || !strings.Contains(text, test.why) {
			t.Errorf("it was told: %s", text)
		}
	}
}

// awaitAnswer waits until a path is answered with a status and a text.
func awaitAnswer(t *testing.T, listen, path string, status int, want string) {
	t.Helper()
	ctx := logtest.Context(t)
	for {
		got, text := 0, ""
		response, err := http.Get("http://" + listen + path)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(response.Body)
			response.Body.Close()
			got, text = response.StatusCode, string(body)
		}
		if err == nil && got == status && strings.Contains(text, want) {
			return
		}
		if backoff.Sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatalf("%s is answered %d %s (%v), not %d with %q", path, got, text, err, status, want)
		}
	}
}

// A job runs instead of the service when the first argument names it. It gets what stands before and behind the flags.
func TestJobsAndArguments(t *testing.T) {
	brokers := strings.Join(logtest.Config(t).Seeds, ",")
	var took []string
	job := Program{
		Name: "service job", Run: func(context.Context, Service) error { return errors.New("did the job") },
		Arguments: func(arguments []string) error { took = arguments; return nil },
	}
	p := Program{
		Name: "service", Run: func(context.Context, Service) error { return errors.New("started") },
		Jobs: map[string]Program{"job": job},
	}
	for _, test := range []struct {
		args, took []string
		want       string
	}{
		{[]string{"--kafka", brokers, "--admin-listen", "off"}, nil, "started"},
		{[]string{"job", "--kafka", brokers}, nil, "did the job"},
		{[]string{"job", "a", "--kafka", brokers, "b"}, []string{"a", "b"}, "did the job"},
		{[]string{"jbo", "--kafka", brokers}, nil, `settings: "jbo" is no setting`},
		{[]string{"--kafka", brokers, "job"}, nil, `settings: "job" is no setting`},
	} {
		took = nil
		err := p.Start(logtest.Context(t), test.args)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || !slices.Equal(took, test.took) {
			t.Errorf("%v: %v with %v", test.args, err, took)
		}
	}
}

// What is wrong with a program's own settings, with files and with arguments is told together with all else.
func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	p := Program{
		Name: "service", Run: func(context.Context, Service) error { return errors.New("started") },
		Validate: func(s Service) error { return errors.Join(errors.New("a"), errors.New("b "+s.Listen)) },
	}
	err := p.Start(logtest.Context(t), []string{
		"--kafka", "nowhere", "--listen", ":80", "--kafka-ca", "/none", "--kafka-username", "shop", "--shards", "20",
		"--env", "a b", "more",
	})
	want := `settings: 8 problems
  - --kafka (HOLDFAST_KAFKA): "nowhere" is not host:port
  - "more" is no setting: all of them begin with --
  - kafka: environment name "a b": use 1 to 64 letters, digits, dots, dashes or underscores
  - kafka: a user needs --kafka-sasl-mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
  - kafka: --kafka-ca: open /none: no such file or directory
  - layout: shard count 20 is not between 1 and the partition count 12
  - a
  - b :80`
	if err == nil || err.Error() != want {
		t.Errorf("it says\n%v\nwant\n%s", err, want)
	}
}

// A service has metrics and profiles at --admin-listen, as long as it runs; off: nowhere. A job has none: it may run
// beside the service.
func TestTheAdminPort(t *testing.T) {
	brokers := strings.Join(logtest.Config(t).Seeds, ",")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	wait := func(ctx context.Context, _ Service) error { <-ctx.Done(); return nil }
	p := Program{Name: "service", Run: wait}
	err = p.Start(logtest.Context(t), []string{"--kafka", brokers, "--admin-listen", address})
	if err == nil || !strings.HasPrefix(err.Error(), "--admin-listen: ") || !strings.Contains(err.Error(), address) {
		t.Errorf("on a port that is taken: %v", err)
	}
	started := Program{Name: "service", Run: func(context.Context, Service) error { return errors.New("started") }}
	p.Jobs = map[string]Program{"job": started}
	for _, args := range [][]string{{"job", "--admin-listen", address}, {"job"}} {
		if err := p.Start(logtest.Context(t), append(args, "--kafka", brokers)); err == nil || err.Error() != "started" {
			t.Errorf("a job: %v", err)
		}
	}
	if err := started.Start(logtest.Context(t), []string{"--kafka", brokers, "--admin-listen", "off"}); err == nil ||
		err.Error() != "started" {
		t.Errorf("off: %v", err)
	}
	_ = taken.Close()
	ask := Program{Name: "service", Run: func(ctx context.Context, _ Service) error {
		text, err := get(ctx, "http://"+address+"/metrics")
		for err != nil && ctx.Err() == nil { // it listens in a moment
			text, err = get(ctx, "http://"+address+"/metrics")
		}
		if !strings.Contains(text, "\ngo_goroutines ") {
			t.Errorf("the metrics are %v\n%s", err, text)
		}
		return errors.New("asked")
	}}
	if err := ask.Start(logtest.Context(t), []string{"--kafka", brokers, "--admin-listen", address}); err == nil ||
		err.Error() != "asked" {
		t.Errorf("it says %v", err)
	}
}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

// With --ready a service is asked at the address where it listens, and nothing is started.
func TestReadyAsksTheServiceThatRuns(t *testing.T) {
	var fault error
	hosts := []string{"shop.example"} // the only name that others may call it by
	server, err := NewServer(httpapi.Config{Registerer: prometheus.NewRegistry(), Hosts: hosts})
	if err != nil {
		t.Fatal(err)
	}
	server.AddCheck(func() error { return fault })
	ctx, stop := context.WithCancel(logtest.Context(t))
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- server.Run(ctx, "127.0.0.1:0", func(address string) { listening <- address }) }()
	address := <-listening
	p := Program{Name: "service", Run: func(context.Context, Service) error { return errors.New("started") }}
	ask := func() error { return p.Start(logtest.Context(t), []string{"--listen", address, "--ready"}) }

	if err := ask(); err != nil {
		t.Error(err)
	}
	// As the images have it: on all addresses.
	_, port, _ := strings.Cut(address, ":")
	if err := p.Start(logtest.Context(t), []string{"--listen", ":" + port, "--ready"}); err != nil {
		t.Error(err)
	}
	fault = errors.New("shard 1 has no owner")
	if err := ask(); err == nil || !strings.Contains(err.Error(), "not ready: 503") || !strings.Contains(err.Error(),
		fault.Error()) {
		t.Errorf("it says %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := ask(); err == nil || !strings.HasPrefix(err.Error(), "ask whether it is ready: ") {
		t.Errorf("where nothing listens: %v", err)
	}
}

// A service that the brokers refuse says what to set, whether it is checked or started; its password comes from the
// environment as well.
func TestBrokersThatAskForAUser(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-256", "shop", "p-word"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	brokers := strings.Join(cluster.ListenAddrs(), ",")
	user := []string{"--kafka", brokers, "--kafka-sasl-mechanism", "SCRAM-SHA-256", "--kafka-username", "shop"}
	start := Program{Name: "service", Run: func(ctx context.Context, s Service) error {
		client, err := eventlog.Open(s.Log)
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = client.EnsurePlatform(ctx, s.Layout)
		return err
	}}
	for _, test := range []struct {
		password, want string
		args           []string
	}{
		{"", "if they want a user, set --kafka-sasl-mechanism", []string{"--kafka", brokers}},
		{"guess", `check that they know user "shop"`, user},
		{"p-word", "", user},
	} {
		t.Setenv("HOLDFAST_KAFKA_PASSWORD", test.password)
		t.Setenv("HOLDFAST_ADMIN_LISTEN", "off")
		for _, args := range [][]string{append(test.args, "--check"), test.args} {
			err := start.Start(logtest.Context(t), args)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v with password %q: %v, want %q", args, test.password, err, test.want)
			}
		}
	}
}
