package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast/holdfast/pkg/insight"
)

// Phase is how far a replay is.
type Phase string

// The phases, in the order in which a replay goes through them.
const (
	// Queued waits until the replays of the same insight before it are filled or cancelled.
	Queued Phase = "queued"
	// Filling computes the history.
	Filling Phase = "filling"
	// Paused is Filling that somebody has stopped for now.
	Paused Phase = "paused"
	// Staged covers the history, is kept up to date, can be queried, and is not live.
	Staged Phase = "staged"
	// Live is what readers get.
	Live Phase = "live"
	// Former was live before the live one. It is kept up to date until it is discarded.
	Former Phase = "former"
	// Cancelled and Discarded have no table any more.
	Cancelled Phase = "cancelled"
	Discarded Phase = "discarded"
)

// Phases are all phases.
var Phases = []Phase{Queued, Filling, Paused, Staged, Live, Former, Cancelled, Discarded}

// Replay is the run that computes a version over the history.
type Replay struct {
	ID string
	// Insight is the name of the insight.
	Insight string
	Created
	// Definition is nil where this release cannot read it, which Stalled says then.
	Definition *insight.Definition
	At         time.Time
	By         Principal
	Phase      Phase
	// Stalled is why the work cannot go on at present; empty: it can.
	Stalled  string
	Filled   *Filled
	Verified *Verified
	// Verifying is true while a verification was asked for and has no result.
	Verifying bool
	// PromotedAt is when it last went live.
	PromotedAt time.Time
	// Log are the decisions about it.
	Log []Decision
}

// Insight is a name with its replays.
type Insight struct {
	Name string
	// Live is nil until a replay was promoted. Former is nil while there is nothing to go back to.
	Live, Former *Replay
	// Replays are all, the oldest first.
	Replays []*Replay
}

// IsFed reports whether the replay's table is to be kept up to date.
func (r *Replay) IsFed() bool { return r.Phase == Filling || r.IsWhole() }

// IsWhole reports whether the replay has gone through the history.
func (r *Replay) IsWhole() bool { return r.Phase == Staged || r.Phase == Live || r.Phase == Former }

// IsEnded reports whether the replay has no table any more.
func (r *Replay) IsEnded() bool { return r.Phase == Cancelled || r.Phase == Discarded }

// PausedWithin is for how long the replay was paused between two times.
func (r *Replay) PausedWithin(from, to time.Time) (paused time.Duration) {
	var since time.Time // zero: it is not paused
	until := func(t time.Time) {
		begin, end := since, t
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		if !since.IsZero() && end.After(begin) {
			paused += end.Sub(begin)
		}
	}
	for _, d := range r.Log {
		switch d.Type {
		case ReplayPaused:
			since = d.At
		case ReplayResumed:
			until(d.At)
			since = time.Time{}
		default: // no other pauses or resumes
		}
	}
	until(to)
	return paused
}

// State is what follows from the decisions so far. It never changes: Apply makes another one.
type State struct {
	insights map[string]*Insight
	replays  map[string]*Replay
	order    []string // the IDs of the replays, the oldest first
	seen     map[string]bool
}

// NewState is the state before all decisions.
func NewState() *State {
	return &State{insights: map[string]*Insight{}, replays: map[string]*Replay{}, seen: map[string]bool{}}
}

// Insights are all insights by name.
func (s *State) Insights() []*Insight {
	all := make([]*Insight, 0, len(s.insights))
	for _, i := range s.insights {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b *Insight) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Insight finds an insight; nil: there is none.
func (s *State) Insight(name string) *Insight { return s.insights[name] }

// Replay finds a replay; nil: there is none.
func (s *State) Replay(id string) *Replay { return s.replays[id] }

// Replays are all replays, the oldest first.
func (s *State) Replays() []*Replay {
	all := make([]*Replay, len(s.order))
	for i, id := range s.order {
		all[i] = s.replays[id]
	}
	return all
}

// IsIdle reports whether nothing more becomes of a replay unless somebody decides about it.
func (s *State) IsIdle(r *Replay) bool {
	switch r.Phase {
	case Cancelled, Discarded:
		return true
	case Live, Former:
		return !r.Verifying
	case Staged:
		if s.insights[r.Insight] == nil { // r is of a state before: the insight was dropped since
			return true
		}
		goesLive := r.Promote && r.PromotedAt.IsZero()
		// One that was verified against a version that is live no more is verified again.
		return !r.Verifying && (!goesLive || r.Verified != nil && (!r.Verified.Green || r.IsPartial()))
	case Paused:
		return true
	case Queued, Filling:
	}
	return false
}

// Refusal is the error for a decision that is not allowed.
type Refusal struct {
	// Unknown is true where the insight or the replay does not exist.
	Unknown bool
	// Forceable is true where Forced makes it allowed.
	Forceable bool
	Text      string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Text }

func refuse(format string, args ...any) error { return &Refusal{Text: fmt.Sprintf(format, args...)} }

func unless(forced bool, format string, args ...any) error {
	if forced {
		return nil
	}
	return &Refusal{Forceable: true, Text: fmt.Sprintf(format, args...)}
}
