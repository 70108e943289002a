package replay

import "time"

// KnownFor is knownFor.
const KnownFor = knownFor

// KeepRawRows sets how long rows that a verification was compared with are kept.
func (r *Runner) KeepRawRows(d time.Duration) { r.conductor.pace.rawRows = d }

// SweepAtOnce makes the conductor drop what nobody needs in two rounds.
func (r *Runner) SweepAtOnce() { r.conductor.pace = pace{} }

// SetClock sets what a Reader takes as the time.
func (r *Reader) SetClock(now func() time.Time) { r.now = now }
