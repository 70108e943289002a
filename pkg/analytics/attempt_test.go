package analytics_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/eventlog"
)

func TestAMirrorThatIsDroppedFillsAgain(t *testing.T) {
	f := newFixture(t)
	f.fill(0, 60)
	f.mirror()
	f.exact()
	before := f.checksums()
	if err := analytics.DropRows(f.ctx, f.conn); err != nil {
		t.Fatal(err)
	}
	f.exact()
	if after := f.checksums(); after != before {
		t.Errorf("filled again it is another\n%s\n%s", before, after)
	}
}

func (f *fixture) checksums() string {
	f.t.Helper()
	sums, err := analytics.NewReports(f.conn).Checksums(f.ctx, "true")
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprint(sums)
}

// A mirror that has more events than the log is not written to, unless Config.Refill allows it to be filled again.
func TestAMirrorThatIsAheadOfTheLog(t *testing.T) {
	long := newFixture(t)
	long.fill(0, 60)
	_, stop := long.mirror()
	long.exact()
	stop()
	short := newFixture(t)
	short.conn = long.conn
	short.fill(0, 3)
	covered, err := analytics.NewReports(short.conn).Await(short.ctx, eventlog.Position{})
	if err != nil || covered.Age < 0 {
		t.Errorf("the mirror was current: %+v, %v", covered, err)
	}
	m, stop := short.mirror()
	short.eventually("it refuses", func() bool {
		err := m.Ready()
		return err != nil && strings.Contains(err.Error(), "holdfast mirror rebuild")
	})
	if up := gauge(t, short.metrics, "holdfast_mirror_up"); up != 0 {
		t.Errorf("it is up: %v", up)
	}
	stop()
	short.mirror(func(c *analytics.Config) { c.Refill = true })
	short.eventually("it is filled again", func() bool {
		n, err := short.ask("SELECT toInt64(count()) FROM events FINAL")
		return err == nil && n == short.events
	})
	short.exact()
}

// A topic was created again while no mirror ran. The mirror notices when the new topic has grown past what it has, and
// when it has rows but no progress. Events of two logs are never mixed.
func TestAMirrorOfAnotherLog(t *testing.T) {
	for name, c := range map[string]struct {
		change, want string
		to           int
	}{
		"grown past":       {want: "has another event of", to: 120},
		"without progress": {change: "TRUNCATE TABLE mirror_progress", want: "but it ends at", to: 3},
	} {
		t.Run(name, func(t *testing.T) {
			first := newFixture(t)
			first.fill(0, 60)
			_, stop := first.mirror()
			first.exact()
			stop()
			if c.change != "" {
				first.execute(c.change)
			}
			again := newFixture(t)
			again.conn = first.conn
			again.fill(0, c.to)
			m, stop := again.mirror()
			again.eventually("it refuses", func() bool {
				err := m.Ready()
				return err != nil && strings.Contains(err.Error(), c.want) &&
					strings.Contains(err.Error(), "holdfast mirror rebuild")
			})
			stop()
			again.mirror(func(c *analytics.Config) { c.Refill = true })
			again.eventually("it is filled again", func() bool {
				n, err := again.ask("SELECT toInt64(count()) FROM events FINAL")
				return err == nil && n == again.events
			})
			again.exact()
		})
	}
}

// A mirror refuses tables of an older program, and tables that were changed by hand. With Config.Refill it fills them
// again. Tables of a newer program are left as they are in any case.
func TestAMirrorOfAnotherProgram(t *testing.T) {
	refilling := func(c *analytics.Config) { c.Refill = true }
	refuses := func(f *fixture, m *analytics.Mirror, want string) {
		t.Helper()
		f.eventually("it refuses", func() bool {
			err := m.Ready()
			return err != nil && strings.Contains(err.Error(), want)
		})
	}
	for name, change := range map[string]string{
		"another text":    "INSERT INTO schema_migrations (number, name, checksum) VALUES (1, 'mirror', 'edited')",
		"half a rebuild":  "DROP TABLE order_lines SYNC",
		"changed by hand": "ALTER TABLE orders ADD COLUMN colour String",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.fill(0, 10)
			_, stop := f.mirror()
			f.exact()
			stop()
			f.execute(change)
			m, stop := f.mirror()
			refuses(f, m, "`holdfast mirror rebuild`")
			stop()
			m, _ = f.mirror(refilling)
			f.eventually("it is filled again", func() bool { return m.Ready() == nil })
			f.exact()
		})
	}
	t.Run("newer", func(t *testing.T) {
		f := newFixture(t)
		f.fill(0, 10)
		_, stop := f.mirror()
		f.exact()
		stop()
		f.execute("INSERT INTO schema_migrations (number, name, checksum) " +
			"VALUES (1, 'mirror', 'edited'), (99, 'later', 'unknown')")
		m, stop := f.mirror(refilling)
		refuses(f, m, "is newer than this program")
		stop()
		f.exact()
	})
}
