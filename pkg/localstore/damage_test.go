package localstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func open(t *testing.T, dir string) *DB {
	t.Helper()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func set(t *testing.T, db *DB, key, value string) {
	t.Helper()
	if err := db.Set([]byte(key), []byte(value), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
}

// readAll reads the whole database, each way that its users do.
func readAll(db *DB) (map[string]string, error) {
	read := map[string]string{}
	it, err := db.NewIter(nil)
	if err != nil {
		return nil, db.Explain(err)
	}
	for it.First(); it.Valid(); it.Next() {
		read[string(it.Key())] = string(it.Value())
	}
	if err := it.Close(); err != nil {
		return nil, db.Explain(err)
	}
	for key, scanned := range read {
		value, closer, err := db.Get([]byte(key))
		if err != nil {
			return nil, db.Explain(err)
		}
		if string(value) != scanned {
			return nil, fmt.Errorf("%s is %q when scanned and %q when looked up", key, scanned, value)
		}
		if err := closer.Close(); err != nil {
			return nil, db.Explain(err)
		}
	}
	return read, db.Err()
}

// twoTables makes a database with two tables on disk. It returns the contents that it had: none, with one table, and
// with both.
func twoTables(t *testing.T, dir string) map[string]bool {
	t.Helper()
	db := open(t, dir)
	contents := map[string]bool{fmt.Sprint(map[string]string{}): true}
	for table := range 2 {
		for i := range 300 {
			set(t, db, fmt.Sprintf("key-%d-%03d", i%7, i), strings.Repeat(fmt.Sprint(table, i), 9))
		}
		if err := db.Flush(); err != nil {
			t.Fatal(err)
		}
		content, err := readAll(db)
		if err != nil || len(content) != 300 {
			t.Fatal(len(content), err)
		}
		contents[fmt.Sprint(content)] = true
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return contents
}

// Whatever becomes of the files of a database, its content is one that it had, or it says that it is damaged, and then
// it is built again. It never panics. An earlier content is as good as the last one: how far it has the log is part of
// it.
func TestDamageIsNoticed(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "whole")
	contents := twoTables(t, whole)
	noticed, harmless := 0, 0
	check := func(what string, dir string) {
		t.Helper()
		var told error
		db, err := Open(dir)
		if err == nil {
			var read map[string]string
			if read, err = readAll(db); err == nil && !contents[fmt.Sprint(read)] {
				t.Errorf("%s: its content is one that it never had", what)
			}
			if closing := db.Close(); err == nil {
				err = closing
			}
		}
		var damaged *DamagedError
		switch {
		case err == nil:
			harmless++
			return
		case !errors.As(err, &damaged):
			t.Errorf("%s: the error is %v", what, err)
			return
		}
		noticed++
		if db, err = OpenOrBuild(dir, MaxMemTableBytes, func(err error) { told = err }); err != nil {
			t.Errorf("%s: it cannot be built again: %v", what, err)
			return
		}
		if read, err := readAll(db); err != nil || len(read) != 0 || told == nil {
			t.Errorf("%s: after it was deleted it has %d keys, %v, %v", what, len(read), err, told)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, name := range filesIn(t, whole) {
		for _, damage := range damages(t, filepath.Join(whole, name)) {
			dir := filepath.Join(t.TempDir(), "damaged")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			damage.do(t, filepath.Join(dir, name))
			check(name+" "+damage.what, dir)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d damages were noticed, %d changed nothing", noticed, harmless)
	if noticed < 100 {
		t.Errorf("only %d damages were noticed", noticed)
	}
}

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			names = append(names, d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

type damage struct {
	what string
	do   func(t *testing.T, path string)
}

// damages are some fifty flipped bits spread over a file, and a shorter, an empty and a missing file.
func damages(t *testing.T, path string) (all []damage) {
	t.Helper()
	intact, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(what string, b []byte) {
		all = append(all, damage{what, func(t *testing.T, path string) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}})
	}
	for i := 0; i < len(intact); i += max(1, len(intact)/50) {
		flipped := bytes.Clone(intact)
		flipped[i] ^= 1 << (i % 8)
		rewrite(fmt.Sprintf("with a flipped bit in byte %d of %d", i, len(intact)), flipped)
	}
	if len(intact) > 0 {
		rewrite("cut in half", intact[:len(intact)/2])
		rewrite("emptied", nil)
	}
	return append(all, damage{"deleted", func(t *testing.T, path string) {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}})
}

// A disk that takes nothing any more costs the database, which says so, and neither the process nor the time that a
// stop may take. What was flushed before is there again afterwards.
func TestAFullDisk(t *testing.T) {
	var full atomic.Bool
	disk := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	}))
	dir := t.TempDir()
	db, err := OpenOn(disk, dir)
	if err != nil {
		t.Fatal(err)
	}
	set(t, db, "before", "kept")
	if err := db.Flush(); err != nil {
		t.Fatal(err)
	}
	full.Store(true)
	set(t, db, "during", "lost")
	began := time.Now()
	err = db.Close()
	if _, ok := errors.AsType[*DiskError](err); !ok || !strings.Contains(err.Error(), "free space on it") {
		t.Errorf("closed: %v", err)
	}
	if took := time.Since(began); took > abandonWait+5*time.Second {
		t.Errorf("it took %s", took)
	}
	if _, err := OpenOn(disk, dir); err == nil {
		t.Error("it was opened on a full disk")
	}
	full.Store(false)
	for db, err = OpenOn(disk, dir); err != nil; db, err = OpenOn(disk, dir) {
		if _, ok := errors.AsType[*DiskError](err); !ok || time.Since(began) > time.Minute {
			t.Fatalf("once there is room: %v", err)
		}
	}
	read, err := readAll(db)
	if err != nil || read["before"] != "kept" {
		t.Errorf("it has %v, %v", read, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for cause, remedy := range map[error]string{
		syscall.EROFS: "let this process write", syscall.EACCES: "let this process write", syscall.EIO: "check the disk",
		syscall.EDQUOT: "free space", syscall.EMFILE: "ulimit",
	} {
		err := explain("folder", fmt.Errorf("write: %w", &fs.PathError{Op: "write", Path: "x", Err: cause}))
		if _, ok := errors.AsType[*DiskError](err); !ok || !strings.Contains(err.Error(), remedy) || !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	if err := explain("folder", nil); err != nil {
		t.Error(err)
	}
	other := errors.New("other")
	if err := explain("folder", other); err != other {
		t.Errorf("%v became %v", other, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil {
		t.Error("a file was opened")
	}
	dir := t.TempDir()
	db := open(t, dir)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "it is in use") {
		t.Errorf("opened twice: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
