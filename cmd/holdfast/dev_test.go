//go:build !noembedded

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
)

// The name of a city alone is no time zone.
func TestDevRefusesATimeZoneThatThereIsNot(t *testing.T) {
	holdfastFails(t, `--time-zone must be a time zone of the IANA database, such as Europe/London; "London" is none`,
		"dev", "--time-zone", "London", "--dir", t.TempDir())
}

// A component that stops while the others go on is reported on the terminal.
func TestDevReportsAComponentThatStops(t *testing.T) {
	kafka, _ := cluster(t)
	ctx, cancel := context.WithCancel(logtest.Context(t))
	defer cancel()
	read, written := io.Pipe()
	root := newRootCommand()
	root.SetArgs([]string{"dev", "--kafka", kafka, "--clickhouse", "off", "--listen", "127.0.0.1:0",
		"--admin-listen", "off", "--dir", t.TempDir()})
	root.SetOut(written)
	ended := make(chan error, 1)
	go func() {
		err := root.ExecuteContext(ctx)
		written.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(read)
	until := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("it ended without %q", want)
	}
	until("Holdfast is ready")
	log, err := eventlog.Open(eventlog.Config{Seeds: []string{kafka}})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	bad := &eventlog.Record{
		TopicPartition: eventlog.TopicPartition{Topic: eventlog.TopicOrders},
		Key:            []byte("x"),
		Value:          []byte("not a protobuf"),
	}
	if err := log.Produce(ctx, []*eventlog.Record{bad}); err != nil {
		t.Fatal(err)
	}
	until("Part of the platform has stopped")
	until("orders.events partition 0 offset 0: ")
	cancel()
	until("Stopped. All data is kept.")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestExplainSaysWhatToDo(t *testing.T) {
	err := explain(syscall.EADDRINUSE)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "--listen") {
		t.Error(err)
	}
}
