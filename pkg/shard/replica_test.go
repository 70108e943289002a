package shard

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAReplicaKeepsItsName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	id, release, err := openReplica(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := openReplica(done, dir); err == nil || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("a second process in the folder: %v", err)
	}
	release()
	again, release, err := openReplica(t.Context(), dir)
	if err != nil || again != id {
		t.Errorf("started again as %q, %v, want %q", again, err, id)
	}
	release()
	// What no group would take is replaced.
	for _, damaged := range []string{"", "\x00\x00\x00", strings.Repeat("x", 200)} {
		if err := os.WriteFile(filepath.Join(dir, replicaIDFile), []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		named, release, err := openReplica(t.Context(), dir)
		if err != nil || !replicaIDPattern.MatchString(named) || named == damaged {
			t.Errorf("with %q in the file: %q, %v", damaged, named, err)
			continue
		}
		release()
		kept, release, err := openReplica(t.Context(), dir)
		if err != nil || kept != named {
			t.Errorf("the new name %q became %q, %v", named, kept, err)
			continue
		}
		release()
	}
}

func TestADataFolderThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openReplica(t.Context(), path); err == nil || !strings.Contains(err.Error(), "data folder") {
		t.Errorf("it says %v", err)
	}
}
