package shard

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// heardOf is a command of an item, taken by a replica that had heard the announcements up to an offset.
func heardOf(key string, heard int64) *Command { return &Command{ID: "A", Key: key, heard: heard} }

func TestARefusalBindsWhatWasTakenBeforeIt(t *testing.T) {
	r := newRefusals()
	r.beginAt(0)
	refused := []uint64{refusalHash(heardOf("k", 0))}
	r.read(70, &eventv1.Announcement{RecordsRefusals: true, RefusedKeys: refused}, time.Now())
	for heard, want := range map[int64]bool{0: true, 70: true, 71: false, 100: false, heardUnknown: true} {
		if got := r.bind(heardOf("k", heard)); got != want {
			t.Errorf("taken at %d: bound is %t", heard, got)
		}
		if r.bind(heardOf("other", heard)) {
			t.Errorf("another key, taken at %d, is bound", heard)
		}
	}
	r.read(90, &eventv1.Announcement{RecordsRefusals: true, RefusedKeys: refused}, time.Now())
	if !r.bind(heardOf("k", 71)) || r.bind(heardOf("k", 91)) {
		t.Error("the newest refusal counts")
	}
}

// What is forgotten, because there is too much of it or it is too old, binds all commands that are older.
func TestForgottenRefusalsBindEverythingOlder(t *testing.T) {
	for name, forget := range map[string]func(*refusals, time.Time){
		"too many": func(r *refusals, now time.Time) {
			r.add(make([]uint64, 0), 0, now)
			r.add(distinct(maxRefusals), 80, now)
		},
		"too old": func(r *refusals, now time.Time) { r.add(nil, 80, now.Add(refusalsKeptFor+time.Second)) },
	} {
		r, now := newRefusals(), time.Now()
		r.add([]uint64{refusalHash(heardOf("k", 0))}, 70, now)
		forget(r, now)
		if len(r.newest) > maxRefusals || r.newest[refusalHash(heardOf("k", 0))] != 0 {
			t.Errorf("%s: it has %d refusals", name, len(r.newest))
		}
		if !r.bind(heardOf("any", 70)) || r.bind(heardOf("any", 71)) {
			t.Errorf("%s: incomplete below %d", name, r.complete.Load())
		}
	}
}

func distinct(n int) []uint64 {
	hashes := make([]uint64, n)
	for i := range hashes {
		hashes[i] = uint64(i)
	}
	return hashes
}

// Owners of a release that records no refusals, and those of another layout, leave nobody a trace of what they refused.
func TestRefusalsThatNobodyRecordedBindEverythingOlder(t *testing.T) {
	records := &eventv1.Announcement{RecordsRefusals: true}
	for name, test := range map[string]struct {
		start      int64
		read       []*eventv1.Announcement
		incomplete int64
	}{
		"all record":                {0, []*eventv1.Announcement{records, records}, 0},
		"one does not":              {0, []*eventv1.Announcement{records, {}, records, records}, 3},
		"one of another program":    {0, []*eventv1.Announcement{nil, records, records}, 2},
		"the topic's start is gone": {50, []*eventv1.Announcement{records, records}, 51},
	} {
		r := newRefusals()
		r.beginAt(test.start)
		for i, a := range test.read {
			r.read(test.start+int64(i), a, time.Now())
		}
		if got := r.complete.Load(); got != test.incomplete {
			t.Errorf("%s: incomplete below %d, want %d", name, got, test.incomplete)
		}
	}
}

// What an owner of a former generation refused binds what may be older, of any shard, until this generation has an
// owner that the command's replica knew of.
func TestRefusalsOfAFormerGenerationBind(t *testing.T) {
	r, before := newRefusals(), newRefusals()
	r.beginAt(0)
	refused := []uint64{refusalHash(heardOf("k", 0))}
	r.readBefore(before, &eventv1.Announcement{RecordsRefusals: true, RefusedKeys: refused}, time.Now())
	r.read(1, &eventv1.Announcement{RecordsRefusals: true}, time.Now())
	if r.complete.Load() != 0 || r.announced.Load() != 2 {
		t.Errorf("incomplete below %d, announced at %d", r.complete.Load(), r.announced.Load())
	}
	for heard, older := range map[int64]bool{heardNothing: true, heardUnknown: true, 0: true, 1: true, 2: false} {
		if got := r.olderThanGeneration(heardOf("k", heard)); got != older {
			t.Errorf("heard %d: older %v, want %v", heard, got, older)
		}
	}
	if !before.bind(heardOf("k", 1).unheard()) || before.bind(heardOf("other", 1).unheard()) {
		t.Error("not what was refused is bound, and nothing else")
	}
	if !r.bind(heardOf("other", heardNothing)) {
		t.Error("a command of two generations ago is not bound")
	}
	r.readBefore(before, &eventv1.Announcement{}, time.Now()) // of a release that records nothing
	if !before.bind(heardOf("other", 1).unheard()) {
		t.Error("what nobody recorded does not bind")
	}
}

// A replica of an older release does not say what it had heard: its commands are decided, but for those that a replica
// of this release has refused of late.
func TestAnOlderReplicasCommandsAreDecided(t *testing.T) {
	r := newRefusals()
	r.beginAt(50)
	refused := []uint64{refusalHash(heardOf("k", 0))}
	r.read(50, &eventv1.Announcement{RecordsRefusals: true, RefusedKeys: refused}, time.Now())
	if r.bind(heardOf("other", heardUnknown)) || !r.bind(heardOf("k", heardUnknown)) {
		t.Error("an older replica's command: not what was refused is bound, and nothing else")
	}
	if req := (&peerv1.CommandRequest{}); req.HeardOffset != nil {
		t.Error("an older replica's message has an offset")
	}
}

func TestAcceptedCommandsPayNothingForRefusals(t *testing.T) {
	r := newRefusals()
	r.add(distinct(1000), 70, time.Now())
	cmd := heardOf("a-key-of-thirty-six-characters-as-uuid", 70)
	if n := testing.AllocsPerRun(100, func() { r.bind(cmd) }); n > 0 {
		t.Errorf("%v allocations a command", n)
	}
}

func TestWhatIsHeardJustAfterAPauseCountsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHearing(eventlog.Layout{Generation: 1, ShardCount: 1})
		ctx, cancel := context.WithCancel(t.Context())
		go h.run(ctx)
		time.Sleep(5 * time.Second)
		h.learn(0, 10)
		if got := h.current.Load().of(0); got != 10 {
			t.Errorf("without a pause it has heard %d", got)
		}
		synctest.Wait()
		h.learnAt(time.Now().Add(pauseFrom), 0, 20) // as if nothing had run for so long
		if got := h.current.Load().of(0); got != 10 {
			t.Errorf("after a pause it has heard %d", got)
		}
		time.Sleep(pauseFrom + pauseGrace + 2*beatEvery)
		synctest.Wait()
		if got := h.current.Load().of(0); got != 20 {
			t.Errorf("long after a pause it has heard %d", got)
		}
		cancel()
		synctest.Wait()
	})
}

func BenchmarkBind(b *testing.B) {
	r := newRefusals()
	r.add(distinct(1000), 70, time.Now())
	cmd := heardOf("a-key-of-thirty-six-characters-as-uuid", 70)
	for b.Loop() {
		r.bind(cmd)
	}
}
