// Package link is what the parent (pkg/devstack/chdb) and the process of the engine (pkg/devstack/chdb/engine) agree on.
package link

import "time"

// Command is the argument that makes a program the engine's process; the flags behind it name the data directory, the
// library, and how far the process gives way to others (the nice value of setpriority(2)).
const (
	Command     = "embedded-clickhouse"
	DirFlag     = "dir"
	LibraryFlag = "library"
	NiceFlag    = "nice"
)

// ListenerFD is where the parent has put the socket.
const ListenerFD = 3

// ReadyLine is what the parent waits for, and StopLine what it says to end the engine. Input that ends without it says
// that the parent has ended.
const (
	ReadyLine = "ready"
	StopLine  = "stop"
)

// DrainTimeout is given to requests when the engine is told to stop.
const DrainTimeout = 5 * time.Second
