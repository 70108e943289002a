package shard

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
)

const (
	// currencyFile in the data folder has when the checkpoints were at the log's end: after a restart the group is told,
	// so that shards which nobody serves go to the replica that has the least to read.
	currencyFile = "current.json"
	// saveCurrencyEvery is how often it is written.
	saveCurrencyEvery = 10 * time.Second
	// lateFor is how long a checkpoint is late, and not old, that was at the log's end.
	lateFor = time.Minute
)

// currency is when each checkpoint was last at the log's end, in this process or the one before.
type currency struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	state currencyState
}

// currencyState is what the file has.
type currencyState struct {
	Generation uint32 `json:"generation"`
	// Micros are by shard; 0: never.
	Micros []int64 `json:"micros"`
}

// loadCurrency reads what the former process has left. What cannot be read, or is of another layout, says nothing.
func loadCurrency(dataDir string, l eventlog.Layout, log *slog.Logger) *currency {
	c := &currency{path: filepath.Join(dataDir, currencyFile), log: log}
	text, err := os.ReadFile(c.path)
	if err != nil || json.Unmarshal(text, &c.state) != nil || c.state.Generation != l.Generation ||
		len(c.state.Micros) != int(l.ShardCount) {
		c.state = currencyState{l.Generation, make([]int64, l.ShardCount)}
	}
	return c
}

func (c *currency) note(shard int32, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Micros[shard] = max(c.state.Micros[shard], at.UnixMicro())
}

// lately reports whether the checkpoint of a shard was at the log's end a short while ago.
func (c *currency) lately(shard int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(time.UnixMicro(c.state.Micros[shard])) < lateFor
}

// save writes the file. One that is not written costs that the next process is not preferred.
func (c *currency) save() {
	c.mu.Lock()
	text, err := json.Marshal(c.state)
	c.mu.Unlock()
	if err == nil {
		err = os.WriteFile(c.path, append(text, '\n'), 0o600)
	}
	if err != nil {
		c.log.Warn("when the checkpoints were current is not noted", "error", err)
	}
}

// saveCurrency notes when the checkpoints were at the log's end, unless another generation uses the file.
func (n *Node) saveCurrency() {
	if !n.preparing.Load() {
		n.current.save()
	}
}

// checkpoints are what the group is told of this replica's checkpoints. owned are its shards.
func (n *Node) checkpoints(owned func(shard int32) bool) (has eventlog.Checkpoints) {
	for shard := range n.layout.ShardCount {
		switch {
		case n.Owns(shard), n.hasCaughtUp(shard), owned(shard) && n.current.lately(shard):
			has.Current = append(has.Current, shard) // the last of these is about to serve it
		case !n.told.Load() && n.current.lately(shard): // the process was started just now
			has.Recent = append(has.Recent, shard)
		case n.current.lately(shard):
			has.Late = append(has.Late, shard)
		case n.preparing.Load(): // what has been begun under a planned layout is no reason to go on with it here
		case exists(filepath.Join(n.cfg.DataDir, checkpoint.Folder(n.layout.Generation, shard))):
			has.Old = append(has.Old, shard)
		}
	}
	return has
}

// standbyCount is how many standbys of each shard the group is to have; 0: none.
func (n *Node) standbyCount() int {
	if n.cfg.StandbyEvery == 0 {
		return 0
	}
	return n.cfg.Standbys
}
