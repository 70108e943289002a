package engine

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"
)

// Limits of the engine. A query that would need more than maxMemoryBytes fails with MEMORY_LIMIT_EXCEEDED.
const (
	maxMemoryBytes    = 4 << 30
	maxMarkCacheBytes = 256 << 20
)

// engine is ClickHouse over one data directory. A process can have only one.
type engine struct {
	lib *library
	dir string
	// config is the file of the engine's configuration.
	config string
	// first is never closed, because the engine stops when its last session is closed.
	first *session
}

func openEngine(libraryPath, dir string) (*engine, error) {
	lib, err := loadLibrary(libraryPath)
	if err != nil {
		return nil, err
	}
	e := &engine{lib: lib, dir: dir}
	if e.config, err = writeConfig(dir); err != nil {
		return nil, err
	}
	if e.first, err = e.open(); err != nil {
		return nil, err
	}
	return e, nil
}

// session has a current database and settings, and runs one statement at a time. Opening one takes 0.1 ms.
type session struct {
	lib     *library
	address unsafe.Pointer // chdb_connection *
	conn    uintptr        // chdb_connection
}

func (e *engine) open() (*session, error) {
	// The engine uses the arguments of its first session. They are C strings, which end with a zero byte.
	args := []string{
		"clickhouse\x00",
		"--path=" + e.dir + "\x00",
		"--config-file=" + e.config + "\x00",
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

func (s *session) execute(f executeFunc, st statement) uintptr {
	n := len(st.params)
	// One element more than needed, so that index 0 exists.
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

// empty is the address of empty strings, because the library accepts no null pointers.
var empty [1]byte

func address(s string) (unsafe.Pointer, uintptr) {
	if s == "" {
		return unsafe.Pointer(&empty), 0
	}
	return unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s))
}

// result is a statement's result or error. It is in the engine's memory until it is freed.
type result struct {
	lib    *library
	handle uintptr
}

func (r result) free() { r.lib.destroyResult(r.handle) }

// bytes are valid until free.
func (r result) bytes() []byte {
	return unsafe.Slice((*byte)(r.lib.resultBuffer(r.handle)), int(r.lib.resultLength(r.handle)))
}

func (r result) err() error {
	if r.handle == 0 {
		return errors.New("the engine gave no result")
	}
	return engineError(r.lib.resultError(r.handle))
}

// run executes a statement and waits for its complete result, which the engine keeps in memory.
func (s *session) run(st statement) (result, error) {
	r := result{s.lib, s.execute(s.lib.query, st)}
	if err := r.err(); err != nil {
		r.free()
		return result{}, err
	}
	return r, nil
}

// exec runs a statement without a result.
func (s *session) exec(sql string) error {
	r, err := s.run(statement{sql: sql, format: "Null"})
	if err == nil {
		r.free()
	}
	return err
}

// streamResult executes a SELECT and calls onBlock for each block of its result. The engine formats each block by
// itself, so the format must be one whose outputs may be concatenated. For other statements than SELECT it runs nothing
// and returns an error that isNotStreamed recognises.
func (s *session) streamResult(st statement, onBlock func([]byte) error) error {
	stream := result{s.lib, s.execute(s.lib.stream, st)}
	defer stream.free()
	if err := stream.err(); err != nil {
		return err
	}
	for {
		block := result{s.lib, s.lib.fetch(s.conn, stream.handle)}
		err := block.err()
		n := 0
		if err == nil {
			if n = len(block.bytes()); n > 0 {
				err = onBlock(block.bytes())
			}
		}
		block.free()
		if err != nil {
			s.lib.cancelStream(s.conn, stream.handle)
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

// insertion is an INSERT whose data arrives in chunks.
type insertion struct {
	lib    *library
	handle uintptr
}

// insert begins an insertion. The statement's SQL ends before the FORMAT clause.
func (s *session) insert(st statement) (insertion, error) {
	in := insertion{s.lib, s.execute(s.lib.insert, st)}
	if err := engineError(s.lib.insertError(in.handle)); err != nil {
		s.lib.destroyInsert(in.handle)
		return insertion{}, err
	}
	return in, nil
}

// append copies data to the engine. False means that the insertion has failed; finish then returns the reason.
func (in insertion) append(data []byte) bool {
	return len(data) == 0 || in.lib.appendInsert(in.handle, unsafe.Pointer(&data[0]), uintptr(len(data))) == 0
}

// finish waits until all data is written.
func (in insertion) finish() (writeCounts, error) {
	defer in.lib.destroyInsert(in.handle)
	r := result{in.lib, in.lib.finishInsert(in.handle)}
	defer r.free()
	if err := r.err(); err != nil {
		return writeCounts{}, err
	}
	return writeCounts{rows: in.lib.rowsWritten(r.handle), bytes: in.lib.bytesWritten(r.handle)}, nil
}

// cancel discards data that the engine has not yet written as a data part.
func (in insertion) cancel() {
	in.lib.cancelInsert(in.handle)
	in.lib.destroyInsert(in.handle)
}

// writeCounts is what a statement has written to tables.
type writeCounts struct{ rows, bytes uint64 }

// countStatements counts the statements in a text. It returns 0 when the text does not parse.
func (s *session) countStatements(sql string) int {
	// struct chdb_query_analysis_v1 has its own size, the number of statements, flags and a class.
	analysis := [4]uint32{16}
	text, n := address(sql)
	if s.lib.classify(s.conn, text, n, nil, 0, unsafe.Pointer(&analysis[0])) != 0 {
		return 0
	}
	return int(analysis[1])
}
