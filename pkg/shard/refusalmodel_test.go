package shard

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// announcedRefusals is the topic of one shard in a model: announcements with the keys that each refuses.
type announcedRefusals struct {
	start         int64 // the brokers have deleted what was before
	announcements []announced
}

type announced struct {
	at      time.Time
	keys    []string
	records bool // its owner records refusals
}

// refusedBy is the offset of the announcement by which all of an owner's refusals were given. An owner that does not
// record them refuses until its successor announces itself.
func (a *announced) refusedBy(offset int64) int64 {
	if !a.records {
		return offset + 1
	}
	return offset
}

// read is what a replica knows that reads the topic now, up to an end.
func (l *announcedRefusals) read(end int64) *refusals {
	r := newRefusals()
	r.beginAt(l.start)
	for offset := l.start; offset < end; offset++ {
		a := l.announcements[offset]
		message := &eventv1.Announcement{RecordsRefusals: a.records}
		for _, key := range a.keys {
			if a.records {
				message.RefusedKeys = append(message.RefusedKeys, refusalHash(heardOf(key, 0)))
			}
		}
		r.read(offset, message, a.at)
	}
	return r
}

// TestNoOwnerCarriesOutWhatWasRefused: owners come and go, of this release and of older ones, read the topic after
// brokers have deleted its start, and forget what is old. Whoever owns the shard in the end carries out no attempt that
// was taken before a refusal of its command, and every attempt that was taken after all of them.
func TestNoOwnerCarriesOutWhatWasRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := &announcedRefusals{}, time.Unix(1_000_000, 0)
		var taken []*Command
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("k", rapid.IntRange(0, 4).Draw(t, "key")) })
		end := func() int64 { return int64(len(l.announcements)) }
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 200).Draw(t, "seconds")) * time.Second)
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0: // a replica, which is behind, takes an attempt
				heard := rapid.Int64Range(0, end()).Draw(t, "heard")
				taken = append(taken, heardOf(key.Draw(t, "taken"), heard))
			case 1: // the brokers delete what is old
				for l.start < end() && now.Sub(l.announcements[l.start].at) > time.Hour {
					l.start++
				}
			default:
				l.announcements = append(l.announcements, announced{
					at: now, records: rapid.IntRange(0, 3).Draw(t, "release") > 0,
					keys: rapid.SliceOfN(key, 0, 2).Draw(t, "refused"),
				})
			}
		}
		l.announcements = append(l.announcements, announced{at: now, records: true}) // of the last owner
		owner := l.read(end())
		for _, cmd := range taken {
			last := int64(-1)
			for offset, a := range l.announcements {
				if slices.Contains(a.keys, cmd.Key) {
					last = a.refusedBy(int64(offset))
				}
			}
			if last >= cmd.heard && !owner.bind(cmd) {
				t.Fatalf("%s was refused at %d, and is carried out although it was taken at %d", cmd.Key, last, cmd.heard)
			}
			if again := heardOf(cmd.Key, end()); owner.bind(again) {
				t.Fatalf("%s is not decided anew at %d; its last refusal is %d", cmd.Key, again.heard, last)
			}
		}
	})
}
