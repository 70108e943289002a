package catalog

// MaxStalls is maxStalls.
const MaxStalls = maxStalls

// Clone is clone, and Note is note.
func (s *State) Clone() *State         { return s.clone() }
func (s *State) Note(d Decision) error { return s.note(d) }
