package queries

import (
	"context"
	"time"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
)

// replayJSON is a replay as answers have it: what was asked for, and what has become of it.
type replayJSON struct {
	ReplayID    string        `json:"replay_id"`
	Insight     string        `json:"insight"`
	Fingerprint string        `json:"fingerprint"`
	Phase       catalog.Phase `json:"phase"`
	Stalled     string        `json:"stalled,omitzero"`

	Source          catalog.Source `json:"source"`
	Pinned          string         `json:"pinned"`
	UpTo            string         `json:"up_to,omitzero"`
	From            time.Time      `json:"from,omitzero"`
	To              time.Time      `json:"to,omitzero"`
	EventsPerSecond int64          `json:"events_per_second,omitzero"`
	Promote         bool           `json:"promote"`

	CreatedAt  time.Time         `json:"created_at"`
	By         catalog.Principal `json:"by"`
	PromotedAt time.Time         `json:"promoted_at,omitzero"`
	Filled     *catalog.Filled   `json:"filled,omitzero"`
	Verifying  bool              `json:"verifying"`
	Verified   *catalog.Verified `json:"verified,omitzero"`
	// Idle is true when nothing more becomes of it unless somebody decides about it.
	Idle bool `json:"idle"`

	// Of one replay alone, and not in lists.
	Definition      string        `json:"definition,omitzero"`
	Progress        *progressJSON `json:"progress,omitzero"`
	ProgressProblem string        `json:"progress_problem,omitzero"`
}

// progressJSON is how far a replay is. EventsPerSecond is how fast it was on average.
type progressJSON struct {
	Done             int64           `json:"done"`
	Total            int64           `json:"total"`
	EventsPerSecond  float64         `json:"events_per_second"`
	RemainingSeconds *float64        `json:"remaining_seconds,omitzero"`
	Position         string          `json:"position"`
	FilledAt         time.Time       `json:"filled_at,omitzero"`
	Partitions       []partitionJSON `json:"partitions"`
}

// partitionJSON is how far a partition is. Next and Target are exclusive.
type partitionJSON struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"`
	Target    int64  `json:"target"`
}

// decisionJSON is a decision about a replay.
type decisionJSON struct {
	At     time.Time         `json:"at"`
	Type   catalog.Type      `json:"type"`
	By     catalog.Principal `json:"by"`
	Forced bool              `json:"forced"`
	Reason string            `json:"reason,omitzero"`
}

func decisionOf(d *catalog.Decision) decisionJSON {
	return decisionJSON{At: d.At, Type: d.Type, By: d.By, Forced: d.Forced, Reason: d.Reason}
}

// summaryOf is a replay as lists have it.
func (a *replayAPI) summaryOf(r *catalog.Replay) replayJSON {
	j := replayJSON{
		ReplayID: r.ID, Insight: r.Insight, Fingerprint: r.Fingerprint, Phase: r.Phase, Stalled: r.Stalled,
		Source: r.Source, Pinned: a.incarnation.Prefixed(r.Pinned), UpTo: a.incarnation.Prefixed(r.UpTo),
		EventsPerSecond: r.EventsPerSecond, Promote: r.Promote,
		CreatedAt: r.At, By: r.By, PromotedAt: r.PromotedAt, Filled: r.Filled, Verifying: r.Verifying,
		Verified: r.Verified, Idle: a.service.IsIdle(r),
	}
	if j.Verified != nil {
		verified := *j.Verified
		verified.Position = a.incarnation.Prefixed(verified.Position)
		j.Verified = &verified
	}
	if r.From != nil {
		j.From = *r.From
	}
	if r.To != nil {
		j.To = *r.To
	}
	return j
}

// describe is a replay with how far it is. Where ClickHouse does not say so, the rest is of use nevertheless.
func (a *replayAPI) describe(ctx context.Context, r *catalog.Replay) replayJSON {
	j := a.summaryOf(r)
	j.Definition = r.Text
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status, err := a.service.Status(ctx, r)
	if err != nil {
		j.ProgressProblem = "ClickHouse does not say how far the replay is"
		return j
	}
	j.Progress = progressOf(status, a.incarnation)
	return j
}

func progressOf(s *replay.Status, of eventlog.Incarnation) *progressJSON {
	p := &progressJSON{
		Done: s.Done, Total: s.Total, EventsPerSecond: s.EventsPerSecond, Position: of.Text(s.Reached), FilledAt: s.FilledAt,
		Partitions: []partitionJSON{},
	}
	if s.Remaining >= 0 {
		seconds := s.Remaining.Seconds()
		p.RemainingSeconds = &seconds
	}
	for _, partition := range s.Partitions {
		p.Partitions = append(p.Partitions, partitionJSON{
			Topic: partition.Topic, Partition: partition.Partition, Next: partition.Next, Target: partition.Target,
		})
	}
	return p
}
