package replay

import "time"

// KnownFor is knownFor.
const KnownFor = knownFor

// SetClock sets what a Reader takes as the time.
func (r *Reader) SetClock(now func() time.Time) { r.now = now }
