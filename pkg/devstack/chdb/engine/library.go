package engine

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library has the functions of libchdb that are used here. Handles are addresses in its memory; lengths are in bytes.
type library struct {
	setSignalHandlers func(enabled int32)
	connect           func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	closeConn         func(conn unsafe.Pointer)
	classify          func(conn uintptr, sql unsafe.Pointer, sqlLen uintptr, database unsafe.Pointer,
		databaseLen uintptr, analysis unsafe.Pointer) int32

	query         executeFunc
	stream        executeFunc
	fetch         func(conn, stream uintptr) uintptr
	cancelStream  func(conn, stream uintptr)
	destroyResult func(result uintptr)
	resultBuffer  func(result uintptr) unsafe.Pointer
	resultLength  func(result uintptr) uintptr
	resultError   func(result uintptr) string
	rowsWritten   func(result uintptr) uint64
	bytesWritten  func(result uintptr) uint64

	insert        executeFunc
	appendInsert  func(stream uintptr, data unsafe.Pointer, n uintptr) int32
	finishInsert  func(stream uintptr) uintptr
	cancelInsert  func(stream uintptr)
	insertError   func(stream uintptr) string
	destroyInsert func(stream uintptr)
}

// executeFunc runs a statement, or begins to run it, and returns a handle.
type executeFunc func(conn uintptr, sql unsafe.Pointer, sqlLen uintptr, format unsafe.Pointer, formatLen uintptr,
	names, nameLens, values, valueLens unsafe.Pointer, count uintptr) uintptr

// loadLibrary loads libchdb into this process. It is never unloaded.
func loadLibrary(path string) (*library, error) {
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine: %w", err)
	}
	lib := &library{}
	for name, function := range map[string]any{
		"chdb_set_signal_handlers_enabled": &lib.setSignalHandlers,
		"chdb_connect":                     &lib.connect,
		"chdb_close_conn":                  &lib.closeConn,
		"chdb_classify_query_n":            &lib.classify,
		"chdb_query_with_params_n":         &lib.query,
		"chdb_stream_query_with_params_n":  &lib.stream,
		"chdb_stream_fetch_result":         &lib.fetch,
		"chdb_stream_cancel_query":         &lib.cancelStream,
		"chdb_destroy_query_result":        &lib.destroyResult,
		"chdb_result_buffer":               &lib.resultBuffer,
		"chdb_result_length":               &lib.resultLength,
		"chdb_result_error":                &lib.resultError,
		"chdb_result_rows_written":         &lib.rowsWritten,
		"chdb_result_bytes_written":        &lib.bytesWritten,
		"chdb_stream_insert_with_params_n": &lib.insert,
		"chdb_stream_append":               &lib.appendInsert,
		"chdb_stream_done":                 &lib.finishInsert,
		"chdb_stream_cancel_insert":        &lib.cancelInsert,
		"chdb_stream_insert_error":         &lib.insertError,
		"chdb_destroy_insert_stream":       &lib.destroyInsert,
	} {
		symbol, err := purego.Dlsym(handle, name)
		if err != nil {
			return nil, fmt.Errorf("load the engine: %s is another version: %w", path, err)
		}
		purego.RegisterFunc(function, symbol)
	}
	// With the engine's own signal handlers a crashed process takes minutes to end. This call resets the handlers of the
	// Go runtime as well, so that a fault anywhere ends the process at once, and the parent starts another.
	lib.setSignalHandlers(0)
	return lib, nil
}
