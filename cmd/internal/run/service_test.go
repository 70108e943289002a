package run

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
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
		{nil, []string{"--kafka", brokers}, "started"},
		{check, []string{"--kafka", brokers}, "started"},
		{check, []string{"--kafka", brokers, "--check"}, "no ClickHouse"},
		{nil, []string{"--kafka", "127.0.0.1:1", "--check"}, "reach the brokers: "},
		{nil, []string{"--kafka", "nowhere", "--check"}, "settings: "},
		{nil, []string{"--log-level", "loud"}, "settings: "},
	} {
		p := Program{Name: "service", Run: run, Check: test.check}
		err := p.main(logtest.Context(t), test.args)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%v: %v, want %q", test.args, err, test.want)
		}
	}
}
