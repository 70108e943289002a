package engine

// Limits that tests reach.
const (
	MaxStatementBytes   = maxStatementBytes
	MaxWholeResultBytes = maxWholeResultBytes
	MaxQueries          = maxQueries
)
