// Command clickhouse serves ClickHouse's HTTP interface on port 8123 as the image clickhouse/clickhouse-server does,
// for tests where that image cannot be pulled: with the user, the password and the database of the environment. The
// engine is the embedded one, which listens on loopback under a password of its own.
package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast/holdfast/pkg/devstack/chdb"
	"github.com/holdfast/holdfast/pkg/devstack/chdb/engine"
)

const (
	listen = ":8123"
	folder = "/var/lib/clickhouse/engine"
	// stopWithin bounds the end of requests under way.
	stopWithin = 10 * time.Second
)

func main() {
	engine.RunIfChild()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	cancel()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	server, err := chdb.Start(ctx, chdb.Options{Dir: folder, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	defer server.Close()
	inner, err := url.Parse(server.URL("default"))
	if err != nil {
		return err
	}
	if err := createDatabase(ctx, inner, os.Getenv("CLICKHOUSE_DB")); err != nil {
		return err
	}
	outer := &http.Server{
		Addr: listen, ReadHeaderTimeout: time.Minute,
		Handler: handler(inner, os.Getenv("CLICKHOUSE_USER"), os.Getenv("CLICKHOUSE_PASSWORD")),
	}
	served := make(chan error, 1)
	go func() { served <- outer.ListenAndServe() }()
	select {
	case err = <-served:
	case err = <-server.Failed():
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return errors.Join(err, outer.Shutdown(stop))
}

func createDatabase(ctx context.Context, inner *url.URL, name string) error {
	if name == "" {
		return nil
	}
	statement := "CREATE DATABASE IF NOT EXISTS `" + strings.ReplaceAll(name, "`", "") + "`"
	address := "http://" + inner.Host + "/"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(statement))
	if err != nil {
		return err
	}
	password, _ := inner.User.Password()
	request.SetBasicAuth(inner.User.Username(), password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("create the database %s: %s", name, response.Status)
	}
	return nil
}

// handler passes requests of the user on to the engine, as its own user.
func handler(inner *url.URL, user, password string) http.Handler {
	innerPassword, _ := inner.User.Password()
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: inner.Host})
			query := r.Out.URL.Query()
			query.Del("user")
			query.Del("password")
			r.Out.URL.RawQuery = query.Encode()
			r.Out.Header.Del("X-ClickHouse-User")
			r.Out.Header.Del("X-ClickHouse-Key")
			r.Out.SetBasicAuth(inner.User.Username(), innerPassword)
			r.Out.Host = inner.Host
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" {
			fmt.Fprintln(w, "Ok.")
			return
		}
		givenUser, givenPassword := credentials(r)
		if givenUser != user || subtle.ConstantTimeCompare([]byte(givenPassword), []byte(password)) == 0 {
			w.Header().Set("X-ClickHouse-Exception-Code", "516")
			http.Error(w, "Code: 516. DB::Exception: Authentication failed", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// credentials are those of a request, in any of the ways that ClickHouse takes them.
func credentials(r *http.Request) (user, password string) {
	if user, password, ok := r.BasicAuth(); ok {
		return user, password
	}
	if user := r.Header.Get("X-ClickHouse-User"); user != "" {
		return user, r.Header.Get("X-ClickHouse-Key")
	}
	return r.URL.Query().Get("user"), r.URL.Query().Get("password")
}
