package clickhouse_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
	"github.com/holdfast/holdfast/test/freeport"
)

// oldVariable is the environment variable with the path of a clickhouse-server of 2018, from Debian. It is too old, and
// unlike the embedded engine it has the native protocol, users and passwords. `make test-clickhouse` fetches it.
const oldVariable = "HOLDFAST_TEST_OLD_CLICKHOUSE"

// oldStart is how long that server may take to start.
const oldStart = 30 * time.Second

const oldConfig = `<yandex>
<logger><level>warning</level><console>true</console></logger>
<listen_host>127.0.0.1</listen_host>
<http_port>%[1]s</http_port><tcp_port>%[2]s</tcp_port>
<https_port>%[3]s</https_port><tcp_port_secure>%[4]s</tcp_port_secure>
<openSSL><server>
<certificateFile>%[5]s</certificateFile><privateKeyFile>%[6]s</privateKeyFile>
<verificationMode>none</verificationMode>
</server></openSSL>
<path>%[7]s/</path><tmp_path>%[7]s/tmp/</tmp_path><mark_cache_size>100000000</mark_cache_size><timezone>UTC</timezone>
<users_config>users.xml</users_config>
<default_profile>default</default_profile><default_database>default</default_database>
</yandex>`

const oldUsers = `<yandex>
<profiles><default/></profiles><quotas><default/></quotas>
<users><projector>
<password>secret</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
</projector></users>
</yandex>`

// oldServer has the host:port of each of its ports.
type oldServer struct{ http, native, https, nativeTLS, ca string }

func startOldServer(t *testing.T) oldServer {
	t.Helper()
	program := os.Getenv(oldVariable)
	if program == "" {
		var err error
		if program, err = exec.LookPath("clickhouse-server"); err != nil {
			t.Skipf("there is no old ClickHouse to be refused; `make test-clickhouse` fetches one: %v", err)
		}
	}
	certificate, key := chdbtest.Certificate(t)
	dir, ports := t.TempDir(), []string{freeport.Port(t), freeport.Port(t), freeport.Port(t), freeport.Port(t)}
	config := fmt.Sprintf(oldConfig, ports[0], ports[1], ports[2], ports[3], certificate, key, dir)
	for name, text := range map[string]string{"config.xml": config, "users.xml": oldUsers} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var output bytes.Buffer
	server := exec.Command(program, "--config-file="+filepath.Join(dir, "config.xml"))
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = server.Wait() // killed as a rule
		close(ended)
	}()
	t.Cleanup(func() {
		_ = server.Process.Kill()
		<-ended
	})
	deadline := time.Now().Add(oldStart)
	for _, port := range ports {
		for !listens(port) {
			select {
			case <-ended:
				t.Fatalf("the old ClickHouse ended: %s", output.String())
			case <-time.After(10 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatalf("the old ClickHouse does not listen on %s after %s", port, oldStart)
			}
		}
	}
	at := func(i int) string { return net.JoinHostPort("127.0.0.1", ports[i]) }
	return oldServer{at(0), at(1), at(2), at(3), certificate}
}

func listens(port string) bool {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

func TestAServerThatIsTooOldIsRefused(t *testing.T) {
	server := startOldServer(t)
	ca := "&ca=" + url.QueryEscape(server.ca)
	const version, password = "is version 18.", "user or password is wrong"
	for _, c := range []struct{ address, want string }{
		{"clickhouse://projector:secret@" + server.native + "/x", version},
		{"clickhouse://projector:another@" + server.native + "/x", password},
		{"clickhouse://nobody:another@" + server.native + "/x", password},
		{"clickhouse://projector:secret@" + server.nativeTLS + "/x?secure=true" + ca, version},
		{"clickhouse://projector:another@" + server.nativeTLS + "/x?secure=true" + ca, password},
		{"clickhouse://projector:secret@" + server.nativeTLS + "/x?secure=true", "is not to be trusted"},
		{"http://projector:secret@" + server.http + "/x", "is too old"},
		{"http://projector:another@" + server.http + "/x", password},
		{"http://nobody:another@" + server.http + "/x", password},
		{"https://projector:secret@" + server.https + "/x?secure=true" + ca, "is too old"},
		{"http://projector:secret@" + server.native + "/x", "clickhouse:// for the native one"},
	} {
		err := ping(t, c.address)
		says(t, c.address, err, c.want)
		if strings.Contains(c.want, "old") || c.want == version {
			says(t, c.address, err, "needs 25.3 or newer")
		}
	}
	conn, err := clickhouse.Open("clickhouse://projector:secret@" + server.native + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	says(t, "writers", conn.Migrate(ctx, migrations(t, first)), version)
	says(t, "readers", conn.Check(ctx, migrations(t, first)), version)
}
