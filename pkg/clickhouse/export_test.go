package clickhouse

// OpenWithReadTimeout is Open with another read timeout.
var OpenWithReadTimeout = open
