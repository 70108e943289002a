// Package link has the names and numbers that the parent process (pkg/devstack/chdb) and the engine's process
// (pkg/devstack/chdb/engine) must agree on.
package link

import "time"

// Command is the first argument of the engine's process. The flags after it name the data directory, the library, and
// the process's nice value, as for setpriority(2): how much it yields the CPU to other processes.
const (
	Command     = "embedded-clickhouse"
	DirFlag     = "dir"
	LibraryFlag = "library"
	NiceFlag    = "nice"
)

// User is the name of the only user. PasswordEnv is the variable with the password in the environment of the engine's
// process: other users of the machine can read neither it nor the memory of the process.
const (
	User        = "default"
	PasswordEnv = "HOLDFAST_EMBEDDED_CLICKHOUSE_PASSWORD" //nolint:gosec // the name of a variable
)

// ListenerFD is the file descriptor of the listening socket, which the engine's process inherits.
const ListenerFD = 3

// ReadyLine is what the engine's process prints once it answers requests. StopLine is what the parent writes to its
// standard input to end it. When the input ends without StopLine, the parent has ended.
const (
	ReadyLine = "ready"
	StopLine  = "stop"
)

// DrainTimeout is how long requests may still run after the engine was told to stop.
const DrainTimeout = 5 * time.Second
