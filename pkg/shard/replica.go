package shard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/pkg/lockfile"
)

// replicaIDFile in the data folder has the name of this replica: a UUID, made at its first start. The group knows the
// replica by it, so that one that crashes and starts again at once has its shards again without waiting. The file is
// locked while the process runs, because two processes must not have one name, nor one folder of checkpoints.
const replicaIDFile = "replica-id"

// dataDirWait is how long a start waits for the former process in its data folder to end.
const dataDirWait = 15 * time.Second

// replicaIDPattern is what the group takes as a name.
var replicaIDPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,100}$`)

// openReplica makes this process the only one with the data folder, until release, and returns the replica's name.
func openReplica(ctx context.Context, dir string) (id string, release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("data folder: %w", err)
	}
	path := filepath.Join(dir, replicaIDFile)
	wait, cancel := context.WithTimeout(ctx, dataDirWait)
	defer cancel()
	release, err = lockfile.AcquireWait(wait, path)
	if errors.Is(err, lockfile.ErrLocked) {
		return "", nil, fmt.Errorf("another process uses the data folder %s; stop it, or give this one another folder "+
			"with --data-dir", dir)
	}
	if err != nil {
		return "", nil, fmt.Errorf("data folder: %w", err)
	}
	if id, err = readReplicaID(path); err != nil {
		release()
		return "", nil, err
	}
	return id, release, nil
}

// readReplicaID reads the replica's name, and makes one where there is none.
func readReplicaID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the replica's name: %w", err)
	}
	id := strings.TrimSpace(string(text))
	if replicaIDPattern.MatchString(id) {
		return id, nil
	}
	// A crash can leave the file empty, or with anything in it. A new name costs one wait for the session timeout.
	id = uuid.NewString()
	if err := os.WriteFile(path, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("write the replica's name: %w", err)
	}
	return id, nil
}
