package replay

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
)

// sampledKeys is how many keys a verification compares with the raw log.
const sampledKeys = 20

// verify compares what a replay says with the live version, and with the raw log. All three are taken at the same
// offsets: up to which the mirror is, or the replay while it is filled.
func (r *Runner) verify(ctx context.Context, replay, live *catalog.Replay) (*catalog.Verified, error) {
	v := &catalog.Verified{}
	staged, err := answering(ctx, r.cfg.Conn, replay)
	if err != nil {
		return v, err
	}
	if staged == nil {
		return v, fmt.Errorf("replay %s has no table yet", replay.ID)
	}
	at, err := r.verifiedOffsets(ctx, staged)
	if err != nil {
		return v, err
	}
	v.Position = eventlog.PositionOf(at).String()
	side := insight.Side{Version: staged.Version, Filled: staged.Filled}
	if live != nil && live.ID != replay.ID {
		v.Against = live.ID
	}
	if v.Against != "" && live.Definition != nil {
		if err := r.compare(ctx, v, side, replay, live, at); err != nil {
			return v, err
		}
	}
	return v, r.checkLog(ctx, v, side, at)
}

// verifiedOffsets are the offsets at which a replay is verified.
func (r *Runner) verifiedOffsets(ctx context.Context, staged *Answering) (eventlog.Offsets, error) {
	reached, err := r.reports.Await(ctx, eventlog.Position{})
	if err != nil {
		return nil, err
	}
	at := reached.Position.Offsets()
	upTo := staged.Replay.UpToOffsets()
	for tp := range at {
		if upTo != nil {
			at[tp] = min(at[tp], upTo[tp])
		}
		if !staged.Replay.IsWhole() {
			at[tp] = min(at[tp], staged.Filled[tp])
		}
	}
	return at, nil
}

// compare compares with the live version. Of the same definition they must be equal.
func (r *Runner) compare(
	ctx context.Context, v *catalog.Verified, staged insight.Side, replay, live *catalog.Replay, at eventlog.Offsets,
) error {
	answers, err := answering(ctx, r.cfg.Conn, live)
	if err != nil {
		return err
	}
	if answers == nil {
		return fmt.Errorf("the live replay %s has no table yet", live.ID)
	}
	other := insight.Side{Version: answers.Version, Filled: answers.Filled}
	c, err := insight.Compare(ctx, r.cfg.Conn, staged, other, at)
	if err != nil || c == nil {
		return err
	}
	v.Rows, v.LiveRows, v.Different = c.Rows[0], c.Rows[1], c.Different
	v.Sums, v.LiveSums = c.Sums[0], c.Sums[1]
	v.Examples = differencesOf(c.Examples)
	for _, p := range c.Periods {
		v.Periods = append(v.Periods, catalog.Period(p))
	}
	if c.Different > 0 && replay.Fingerprint == live.Fingerprint && !replay.IsPartial() && !live.IsPartial() {
		v.Problem = fmt.Sprintf("%d keys differ from the live version of the same definition", c.Different)
	}
	return nil
}

func differencesOf(found []insight.Difference) (differences []catalog.Difference) {
	for _, d := range found {
		differences = append(differences, catalog.Difference{Key: d.Key, Staged: d.Sides[0], Other: d.Sides[1]})
	}
	return differences
}

// checkLog compares keys that are drawn at random with the raw log: the rows of the source are made from Kafka, in a
// database of their own (rawRows), and asked by one plain query.
func (r *Runner) checkLog(
	ctx context.Context, v *catalog.Verified, staged insight.Side, at eventlog.Offsets,
) error {
	sample, err := staged.Sample(ctx, r.cfg.Conn, sampledKeys, rand.Uint64(), at)
	if err != nil {
		return err
	}
	v.Sampled = sample.Len()
	if v.Sampled > 0 {
		wrong, err := r.checkSample(ctx, staged, sample, at)
		if err != nil {
			return err
		}
		v.Wrong, v.WrongExamples = len(wrong), differencesOf(wrong)
	}
	if v.Wrong > 0 {
		v.Problem = fmt.Sprintf("%d of %d keys differ from what the log itself says", v.Wrong, v.Sampled)
	}
	v.Green = v.Problem == ""
	return nil
}

func (r *Runner) checkSample(
	ctx context.Context, staged insight.Side, sample *insight.Sample, at eventlog.Offsets,
) ([]insight.Difference, error) {
	raw, err := r.rawRows(ctx, staged.Source, at)
	if err != nil {
		return nil, err
	}
	return staged.CheckAgainst(ctx, r.cfg.Conn, sample, raw.database, at)
}
