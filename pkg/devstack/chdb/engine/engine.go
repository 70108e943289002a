package engine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Bounds of the engine, in bytes: a query that would pass the first fails with MEMORY_LIMIT_EXCEEDED.
const (
	maxMemoryBytes    = 4 << 30
	maxMarkCacheBytes = 256 << 20
)

// engine is ClickHouse over one data directory. There is one in a process.
type engine struct {
	lib *library
	dir string
	// first stays open: closing the last session would stop the engine.
	first *session
}

func openEngine(libraryPath, dir string) (*engine, error) {
	lib, err := loadLibrary(libraryPath)
	if err != nil {
		return nil, err
	}
	e := &engine{lib: lib, dir: dir}
	if e.first, err = e.open(); err != nil {
		return nil, err
	}
	return e, nil
}

// session has a current database and settings. It runs one statement at a time; opening one takes 0.1 ms.
type session struct {
	lib     *library
	address unsafe.Pointer // chdb_connection *
	conn    uintptr        // chdb_connection
}

func (e *engine) open() (*session, error) {
	// The first session's arguments count for the engine. C wants their ends marked.
	args := []string{
		"clickhouse\x00",
		"--path=" + e.dir + "\x00",
		fmt.Sprintf("--max_server_memory_usage=%d\x00", maxMemoryBytes),
		fmt.Sprintf("--mark_cache_size=%d\x00", maxMarkCacheBytes),
	}
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		argv[i] = unsafe.StringData(arg)
	}
	address := e.lib.connect(int32(len(args)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(args)
	runtime.KeepAlive(argv)
	if address == nil {
		return nil, errors.New("the engine does not open its data directory " + e.dir)
	}
	return &session{lib: e.lib, address: address, conn: *(*uintptr)(address)}, nil
}

func (s *session) close() { s.lib.closeConn(s.address) }

// statement is SQL, the format of its data, and the values of its {name:Type} parameters as ClickHouse's
// escaped text.
type statement struct {
	sql, format string
	params      []param
}

type param struct{ name, value string }

func (s *session) execute(f execute, st statement) uintptr {
	n := len(st.params)
	// One more than needed, so that there is an address to take.
	names, values := make([]unsafe.Pointer, n+1), make([]unsafe.Pointer, n+1)
	nameLens, valueLens := make([]uintptr, n+1), make([]uintptr, n+1)
	for i, p := range st.params {
		names[i], nameLens[i] = address(p.name)
		values[i], valueLens[i] = address(p.value)
	}
	sql, sqlLen := address(st.sql)
	format, formatLen := address(st.format)
	handle := f(s.conn, sql, sqlLen, format, formatLen, unsafe.Pointer(&names[0]), unsafe.Pointer(&nameLens[0]),
		unsafe.Pointer(&values[0]), unsafe.Pointer(&valueLens[0]), uintptr(n))
	runtime.KeepAlive(st)
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	return handle
}

// empty is where empty strings are: the library takes no null pointers.
var empty [1]byte

func address(s string) (unsafe.Pointer, uintptr) {
	if s == "" {
		return unsafe.Pointer(&empty), 0
	}
	return unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s))
}

// result is what a statement answered, in the engine's memory until it is freed.
type result struct {
	lib    *library
	handle uintptr
}

func (r result) free() { r.lib.destroyResult(r.handle) }

// bytes are good until free.
func (r result) bytes() []byte {
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.handle)), int(r.lib.resultLength(r.handle)))
}

func (r result) err() error {
	if r.handle == 0 {
		return errors.New("the engine gave no result")
	}
	return engineError(r.lib.resultError(r.handle))
}

// run executes a statement and waits for all of its result, which the engine holds in memory.
func (s *session) run(st statement) (result, error) {
	r := result{s.lib, s.execute(s.lib.query, st)}
	if err := r.err(); err != nil {
		r.free()
		return result{}, err
	}
	return r, nil
}

// exec is run for statements that answer nothing.
func (s *session) exec(sql string) error {
	r, err := s.run(statement{sql: sql, format: "Null"})
	if err == nil {
		r.free()
	}
	return err
}

// rows executes a SELECT and hands over its result block by block. Each block is formatted by itself, so the
// format must be one that can be joined. It returns errNotStreamed, having run nothing, for other statements.
func (s *session) rows(st statement, block func([]byte) error) error {
	stream := result{s.lib, s.execute(s.lib.stream, st)}
	defer stream.free()
	if err := stream.err(); err != nil {
		return err
	}
	for {
		chunk := result{s.lib, s.lib.fetch(s.conn, stream.handle)}
		err := chunk.err()
		n := 0
		if err == nil {
			if n = len(chunk.bytes()); n > 0 {
				err = block(chunk.bytes())
			}
		}
		chunk.free()
		if err != nil {
			s.lib.cancelStream(s.conn, stream.handle)
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// insertion is an INSERT whose data comes in pieces.
type insertion struct {
	lib    *library
	handle uintptr
}

// insert begins an insertion; its SQL ends before the data and before FORMAT.
func (s *session) insert(st statement) (insertion, error) {
	in := insertion{s.lib, s.execute(s.lib.insert, st)}
	if err := engineError(s.lib.insertError(in.handle)); err != nil {
		s.lib.destroyInsert(in.handle)
		return insertion{}, err
	}
	return in, nil
}

// add copies data; false says that the insertion has failed, and finish says why.
func (in insertion) add(data []byte) bool {
	return len(data) == 0 || in.lib.appendInsert(in.handle, unsafe.Pointer(&data[0]), uintptr(len(data))) == 0
}

// finish waits until everything is written.
func (in insertion) finish() (written, error) {
	defer in.lib.destroyInsert(in.handle)
	r := result{in.lib, in.lib.finishInsert(in.handle)}
	defer r.free()
	if err := r.err(); err != nil {
		return written{}, err
	}
	return written{rows: in.lib.rowsWritten(r.handle), bytes: in.lib.bytesWritten(r.handle)}, nil
}

// cancel drops what has not been written as a part yet.
func (in insertion) cancel() {
	in.lib.cancelInsert(in.handle)
	in.lib.destroyInsert(in.handle)
}

type written struct{ rows, bytes uint64 }

// statements counts those in the text; 0 when it does not parse.
func (s *session) statements(sql string) int {
	// struct chdb_query_analysis_v1: its size, statements, flags, class.
	analysis := [4]uint32{16}
	text, n := address(sql)
	if s.lib.classify(s.conn, text, n, nil, 0, unsafe.Pointer(&analysis[0])) != 0 {
		return 0
	}
	return int(analysis[1])
}
