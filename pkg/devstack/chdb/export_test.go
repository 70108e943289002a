package chdb

// ChildPID is the process of the engine; 0 while there is none.
func (s *Server) ChildPID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil {
		return 0
	}
	return s.child.cmd.Process.Pid
}

// Limits that tests reach.
const (
	MaxStatementBytes   = maxStatementBytes
	MaxWholeResultBytes = maxWholeResultBytes
	MaxQueries          = maxQueries
)
