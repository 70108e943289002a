package insight

import (
	"errors"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
)

// State says what a version is to readers.
type State string

// The states of versions.
const (
	Live   State = "live"   // answers those who ask for no version
	Staged State = "staged" // may be asked for before it becomes live
	Former State = "former" // was live before
)

// Provenance says where an answer comes from.
type Provenance struct {
	Fingerprint string
	// Replay is the ID of the replay that computed the version.
	Replay string
	State  State
	// PromotedAt is when the version became live; zero: it never did.
	PromotedAt time.Time
	// Position is how far the table is: an answer has all events of its source before it.
	Position eventlog.Position
	// UpTo is where the version ends, if it has a part of the history only; zero: it goes on.
	UpTo eventlog.Position
	// Age is how long ago the table last had all events of the log; below 0: it never had.
	Age time.Duration
}

// Listed is an insight with its versions.
type Listed struct {
	*Definition
	Live   *Provenance // nil: there is none yet
	Staged []Provenance
}

// Errors of those who find versions.
var (
	ErrNoInsight = errors.New("there is no such insight")
	ErrNoVersion = errors.New("the insight has no such version")
	ErrComputing = errors.New("the version is being computed again: it has no table, or one of another release")
)
