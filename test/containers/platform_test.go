package containers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	dockernetwork "github.com/testcontainers/testcontainers-go/network"
	"github.com/testcontainers/testcontainers-go/wait"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/test/freeport"
)

const (
	// patience bounds a wait for what takes seconds on a quiet machine.
	patience = 90 * time.Second
	// label is on every container of these tests: what an earlier run left is found by it.
	label = "holdfast.test"
	// healthInterval is how often a container is asked for its health.
	healthInterval = 200 * time.Millisecond
	// maxLogBytes of a container's log are shown when a test has failed.
	maxLogBytes = 64 << 10
)

// composeService is what docker-compose.yml says of a container.
type composeService struct {
	Image       string
	Build       struct{ Args map[string]string }
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Healthcheck struct{ Test []string }
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	SecurityOpt []string `yaml:"security_opt"`
	MemLimit    string   `yaml:"mem_limit"`
}

// compose is docker-compose.yml: the containers of the tests are those that users run.
func compose(t *testing.T) map[string]composeService {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]composeService
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Services
}

// containerPort is the port inside of the container that docker-compose.yml publishes; empty: none.
func (s composeService) containerPort() string {
	if len(s.Ports) == 0 {
		return ""
	}
	return s.Ports[0][strings.LastIndex(s.Ports[0], ":")+1:]
}

// memory is the container's limit in bytes.
func (s composeService) memory() (int64, error) {
	gigabytes, err := strconv.ParseInt(strings.TrimSuffix(s.MemLimit, "g"), 10, 64)
	return gigabytes << 30, err
}

// platform is Holdfast in containers.
type platform struct {
	t        *testing.T
	engine   *testcontainers.DockerClient
	network  *testcontainers.DockerNetwork
	services map[string]composeService
	ports    map[string]string // on this machine, by service

	mu         sync.Mutex
	containers map[string]testcontainers.Container
}

// newPlatform starts nothing yet. What an earlier run has left is removed.
func newPlatform(ctx context.Context, t *testing.T) *platform {
	t.Helper()
	p := &platform{
		t: t, services: compose(t), ports: map[string]string{}, containers: map[string]testcontainers.Container{},
	}
	var err error
	if p.engine, err = testcontainers.NewDockerClientWithOpts(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.engine.Close() })
	p.reap(ctx)
	if p.network, err = dockernetwork.New(ctx, dockernetwork.WithLabels(map[string]string{label: ""})); err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, p.network)
	for name, s := range p.services {
		if s.containerPort() != "" {
			p.ports[name] = freeport.Port(t) // one that Docker chooses would change when the container is started again
		}
	}
	return p
}

// reap removes containers and networks that an earlier run has left because it was killed.
func (p *platform) reap(ctx context.Context) {
	p.t.Helper()
	filters := client.Filters{}.Add("label", label)
	left, err := p.engine.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range left.Items {
		_, err := p.engine.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{RemoveVolumes: true, Force: true})
		if err != nil {
			p.t.Fatal(err)
		}
	}
	if _, err := p.engine.NetworkPrune(ctx, client.NetworkPruneOptions{Filters: filters}); err != nil {
		p.t.Fatal(err)
	}
}

// address is where this machine reaches a service.
func (p *platform) address(name string) string { return net.JoinHostPort("127.0.0.1", p.ports[name]) }

// start starts containers, all at once, and waits until each is ready.
func (p *platform) start(ctx context.Context, images map[string]string) {
	p.t.Helper()
	var group errgroup.Group
	for name, image := range images {
		group.Go(func() error {
			began := time.Now()
			if err := p.startOne(ctx, name, image); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			p.t.Logf("%s is ready after %.1f s", name, time.Since(began).Seconds())
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *platform) startOne(ctx context.Context, name, image string) error {
	s := p.services[name]
	memory, err := s.memory()
	if err != nil {
		return err
	}
	request := testcontainers.ContainerRequest{
		Image: image, Cmd: s.Command, Env: p.environment(name), Labels: map[string]string{label: ""},
		Networks: []string{p.network.Name}, NetworkAliases: map[string][]string{p.network.Name: {name}},
		HostConfigModifier: func(host *container.HostConfig) {
			host.ReadonlyRootfs, host.CapDrop, host.SecurityOpt = s.ReadOnly, s.CapDrop, s.SecurityOpt
			host.Memory = memory
			for _, volume := range s.Volumes {
				_, target, _ := strings.Cut(volume, ":")
				host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeVolume, Target: target})
			}
			if port := s.containerPort(); port != "" {
				host.PortBindings = network.PortMap{network.MustParsePort(port): {{
					HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: p.ports[name],
				}}}
			}
		},
		WaitingFor: p.readiness(name),
	}
	if port := s.containerPort(); port != "" {
		request.ExposedPorts = []string{port}
	}
	// Images of this repository ask themselves. The stand-ins have no programs but their own.
	if s.Build.Args != nil {
		request.ConfigModifier = func(config *container.Config) {
			config.Healthcheck = &container.HealthConfig{
				Test: s.Healthcheck.Test, Interval: healthInterval, Timeout: patience, Retries: int(patience / healthInterval),
			}
		}
	}
	started, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: request, Started: true,
	})
	if started != nil {
		p.mu.Lock()
		p.containers[name] = started
		p.mu.Unlock()
		p.t.Cleanup(func() { p.remove(name, started) })
	}
	return err
}

// environment is that of docker-compose.yml, with the ports of this run.
func (p *platform) environment(name string) map[string]string {
	all := map[string]string{}
	for variable, value := range p.services[name].Environment {
		all[variable] = value
	}
	if name == "kafka" {
		const advertised = "KAFKA_ADVERTISED_LISTENERS"
		all[advertised] = strings.ReplaceAll(all[advertised], "127.0.0.1:9092", p.address(name))
	}
	return all
}

// readiness says when a container serves. A port tells nothing: Docker's proxy listens on it from the start.
func (p *platform) readiness(name string) wait.Strategy {
	switch name {
	case "kafka":
		return nil // it is asked in Kafka's protocol
	case "clickhouse":
		return wait.ForHTTP("/ping").WithPort(p.services[name].containerPort()).
			WithPollInterval(healthInterval).WithStartupTimeout(patience)
	default:
		return wait.ForHealthCheck().WithPollInterval(healthInterval).WithStartupTimeout(patience)
	}
}

// kill kills a container as docker kill does, and starts it again.
func (p *platform) kill(ctx context.Context, name string) {
	p.t.Helper()
	p.mu.Lock()
	c := p.containers[name]
	p.mu.Unlock()
	if _, err := p.engine.ContainerKill(ctx, c.GetContainerID(), client.ContainerKillOptions{Signal: "KILL"}); err != nil {
		p.t.Fatal(err)
	}
	p.await(ctx, name+" is dead", func() error {
		state, err := c.State(ctx)
		if err == nil && state.Running {
			err = errors.New("it runs")
		}
		return err
	})
	began := time.Now()
	if err := c.Start(ctx); err != nil {
		p.t.Fatalf("start %s again: %v", name, err)
	}
	p.t.Logf("%s was killed; it is ready %.1f s after it was started again", name, time.Since(began).Seconds())
}

// log reaches the brokers from this machine.
func (p *platform) log() *eventlog.Client {
	p.t.Helper()
	log, err := eventlog.Open(eventlog.Config{Seeds: []string{p.address("kafka")}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(log.Close)
	return log
}

// await waits until something is so.
func (p *platform) await(ctx context.Context, what string, is func() error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poll := time.NewTicker(healthInterval)
	defer poll.Stop()
	for {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("not so after %s: %s: %v", patience, what, err)
		case <-poll.C:
		}
	}
}

// remove ends a container. It prints the log when the test has failed.
func (p *platform) remove(name string, c testcontainers.Container) {
	// The context of the test has ended.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if p.t.Failed() {
		if log, err := c.Logs(ctx); err == nil {
			text, _ := io.ReadAll(io.LimitReader(log, maxLogBytes))
			p.t.Logf("log of %s:\n%s", name, text)
			_ = log.Close()
		}
	}
	if err := c.Terminate(ctx); err != nil {
		p.t.Errorf("remove %s: %v", name, err)
	}
}
