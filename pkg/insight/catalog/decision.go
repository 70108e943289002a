// Package catalog owns which insights there are: which version of each is live, and what became of each replay. This is
// decided by people, and by the processes that carry their decisions out. All decisions are in the topic
// holdfast.insights, which is kept for ever, so that a lost ClickHouse loses none of them.
//
// State is a fold of the decisions. A decision that is not allowed where it stands in the topic changes nothing, for
// every reader alike. So several processes may write decisions at the same time (Catalog.Decide).
//
// The package does not compute anything: pkg/replay does.
package catalog

import (
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// Decision is a record of the topic.
type Decision struct {
	// ID makes the decision one of its own. A record that is read twice counts once.
	ID       string    `json:"id"`
	Type     Type      `json:"type"`
	At       time.Time `json:"at"`
	By       Principal `json:"by"`
	ReplayID string    `json:"replay_id,omitempty"`
	// Insight is the insight's name, of a new replay, and where a decision is about no single replay.
	Insight string `json:"insight,omitempty"`
	// Forced is true where somebody wanted it although it was refused.
	Forced bool `json:"forced,omitempty"`
	// Reason is why, in words: of a stall the error, of a decision what a person wrote.
	Reason string `json:"reason,omitempty"`

	Created  *Created  `json:"created,omitempty"`
	Filled   *Filled   `json:"filled,omitempty"`
	Verified *Verified `json:"verified,omitempty"`
}

// Principal is who decided.
type Principal struct {
	Name string `json:"name"`
	// Verified is false where the name is what the client said in Holdfast-Actor.
	Verified bool `json:"verified"`
}

// Type says what was decided.
type Type string

// The decisions. People take those of the first group, pkg/replay those of the second, which say what was reached.
const (
	ReplayCreated   Type = "replay_created"
	ReplayPaused    Type = "replay_paused"
	ReplayResumed   Type = "replay_resumed"
	ReplayCancelled Type = "replay_cancelled"
	ReplayDiscarded Type = "replay_discarded"
	VerifyRequested Type = "verify_requested"
	Promoted        Type = "promoted"
	RolledBack      Type = "rolled_back"
	InsightDropped  Type = "insight_dropped"

	ReplayFilled    Type = "replay_filled"
	ReplayStalled   Type = "replay_stalled"
	ReplayContinued Type = "replay_continued"
	ReplayVerified  Type = "replay_verified"
)

// Source is where a replay takes the rows from.
type Source string

// The sources of a replay.
const (
	// FromMirror reads the tables of the mirror, which is fast.
	FromMirror Source = "mirror"
	// FromKafka reads the log itself, and needs no trust in the mirror.
	FromKafka Source = "kafka"
)

// Created is what a replay is to do. It never changes.
type Created struct {
	// Text is the definition, in YAML.
	Text string `json:"definition"`
	// Fingerprint is that of the definition.
	Fingerprint string `json:"fingerprint"`
	Source      Source `json:"source"`
	// Pinned is where the log ended when the replay was created, as the text of a position. The replay is filled once it
	// covers all events before it. Live work goes on after it.
	Pinned string `json:"pinned"`
	// UpTo limits the replay to the events before a position; empty: none.
	UpTo string `json:"up_to,omitempty"`
	// From and To limit it to rows whose time is not before From, and before To; nil: no limit.
	From *time.Time `json:"from,omitempty"`
	To   *time.Time `json:"to,omitempty"`
	// EventsPerSecond is the throttle; 0: none.
	EventsPerSecond int64 `json:"events_per_second,omitempty"`
	// Promote means that it goes live by itself once it is filled and verified.
	Promote bool `json:"promote,omitempty"`
}

// IsPartial reports whether the replay leaves events out on purpose.
func (c *Created) IsPartial() bool { return c.UpTo != "" || c.From != nil || c.To != nil }

// PinnedOffsets are the offsets of Pinned.
func (c *Created) PinnedOffsets() eventlog.Offsets { return offsetsOf(c.Pinned) }

// UpToOffsets are the offsets of UpTo; nil: no limit.
func (c *Created) UpToOffsets() eventlog.Offsets {
	if c.UpTo == "" {
		return nil
	}
	return offsetsOf(c.UpTo)
}

// offsetsOf reads a position that was checked when it was written.
func offsetsOf(text string) eventlog.Offsets {
	p, err := eventlog.ParsePosition(text)
	if err != nil {
		return eventlog.Offsets{}
	}
	return p.Offsets()
}

// Filled is how a replay came to its end.
type Filled struct {
	// Events is the number of offsets that it went through.
	Events int64 `json:"events"`
	// Seconds is how long it was worked at, without pauses, throttle, and work on other replays. Of several replicas it is
	// the one that took longest. Earlier releases have written the time from the begin to the end.
	Seconds float64 `json:"seconds"`
}

// Verified is the result of a verification.
type Verified struct {
	// Green is true when nothing was found that must not be.
	Green bool `json:"green"`
	// Position is the vector of offsets at which both sides were compared.
	Position string `json:"position"`
	// Against is the replay that was live; empty: there was none. Rows, sums and differences are empty where the two have
	// no keys and measures in common.
	Against string `json:"against,omitempty"`
	// Rows of the staged version, and of the live one.
	Rows     int64 `json:"rows"`
	LiveRows int64 `json:"live_rows,omitempty"`
	// Sums are of the measures that can be added up, as decimals: of the staged version, and of the live one.
	Sums     map[string]string `json:"sums,omitempty"`
	LiveSums map[string]string `json:"live_sums,omitempty"`
	// Different is the number of keys whose measures are different, or which one side lacks.
	Different int64        `json:"different"`
	Examples  []Difference `json:"examples,omitempty"`
	// Periods are the differences by month, where the insight has a key month or day.
	Periods []Period `json:"periods,omitempty"`
	// Sampled is how many keys were compared with the raw log, and Wrong how many of them were different.
	Sampled       int          `json:"sampled"`
	Wrong         int          `json:"wrong"`
	WrongExamples []Difference `json:"wrong_examples,omitempty"`
	Seconds       float64      `json:"seconds"`
	// Problem is why it is not green.
	Problem string `json:"problem,omitempty"`
}

// Difference is a key with two values for its measures. A side that lacks the key has none.
type Difference struct {
	Key    map[string]string `json:"key"`
	Staged map[string]string `json:"staged,omitempty"`
	// Other are the measures of the live version, or those that were computed from the raw log.
	Other map[string]string `json:"other,omitempty"`
}

// Period says how many keys of a month are different.
type Period struct {
	Month     string `json:"month"`
	Rows      int64  `json:"rows"`
	Different int64  `json:"different"`
}
