package analytics

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/holdfast/holdfast/cmd/internal/run"
	"github.com/holdfast/holdfast/pkg/analytics"
	"github.com/holdfast/holdfast/pkg/clickhouse"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/input"
	"github.com/holdfast/holdfast/pkg/insight"
	"github.com/holdfast/holdfast/pkg/insight/catalog"
	"github.com/holdfast/holdfast/pkg/replay"
	"github.com/holdfast/holdfast/pkg/service"
)

// How a replay that a job has waited for ended, as exit status. 1 is an error, or the job was stopped; the others are
// those of holdfast replay wait.
const (
	statusEnded   = 3 // cancelled, discarded, or not live any more
	statusFailed  = 4 // its verification found what must not be
	statusRefused = 5 // it was not created, or does not go live by itself
)

// progressEvery is how often progress is logged while a replay does not change.
const progressEvery = 5 * time.Second

// jobNamespace is fixed for ever, so that a job that is started again finds its replay.
var jobNamespace = uuid.MustParse("2f6c3c5e-3f0b-5d63-9b1e-6d0b6a3c7e52")

const jobHelp = `analytics-projector replay FILE [SETTINGS]
analytics-projector replay --insight NAME --key KEY [SETTINGS]

Create a replay of the definition in a file, or of an insight that is live once
more, and wait until it is staged, or with --promote live. The analytics-projectors
that run do the work: this process only waits and logs progress. Stopping it
leaves the replay at work.

With the same key the job waits for the replay that it has created before, so
that it can be started again at any time. By default the key follows from what
the file computes and from the settings of the replay.

Exit status: 0 staged, or with --promote live; 3 cancelled, discarded, or not live
any more; 4 its verification failed; 5 refused: a fault in the definition, a log
whose start was deleted, a key with other settings, or a promotion that needs
a decision; 1 any other error, or stopped while it waited.

`

// replayJob creates a replay and waits for it, once.
type replayJob struct {
	cfg        Config
	file       string
	insight    string
	key, actor string
	request    replay.Request
	service    *replay.Service
}

// replayProgram is the process of the job.
func replayProgram() run.Program {
	job := &replayJob{}
	return run.Program{
		Name: "analytics-projector replay", Help: jobHelp, Flags: job.register, Arguments: job.arguments,
		Run: func(ctx context.Context, s run.Service) error {
			job.cfg.Service = s
			return job.run(ctx)
		},
		Validate: func(run.Service) error {
			return clickhouse.CheckAddress(job.cfg.ClickHouse, job.cfg.ClickHouseCluster)
		},
		Check: func(ctx context.Context) error {
			return clickhouse.Reach(ctx, job.cfg.ClickHouse, job.cfg.ClickHouseCluster)
		},
	}
}

func (j *replayJob) register(fs *flag.FlagSet) {
	j.cfg.register(fs)
	fs.StringVar(&j.insight, "insight", "", "`NAME` of an insight that is live, instead of a file; needs --key")
	fs.StringVar(&j.key, "key", "", "`KEY` of the replay: with the same one the job waits for the replay that there is")
	fs.StringVar(&j.actor, "actor", "replay job", "`NAME` of who asks, as the decisions in the log have it")
	j.request.Source = catalog.FromMirror
	fs.Func("source", "take the rows from `mirror` (default), or from the log itself: kafka", func(s string) error {
		j.request.Source = catalog.Source(s)
		if j.request.Source != catalog.FromMirror && j.request.Source != catalog.FromKafka {
			return errors.New("it is neither mirror nor kafka")
		}
		return nil
	})
	fs.Func("from", "leave out what was before this `TIME`, such as 2011-01-01", timeSetting(&j.request.From))
	fs.Func("to", "leave out what was from this `TIME` on", timeSetting(&j.request.To))
	fs.Func("up-to", "leave out events from this `POSITION` on", func(s string) (err error) {
		j.request.UpTo, err = eventlog.ParseAny(s)
		return err
	})
	fs.Int64Var(&j.request.EventsPerSecond, "events-per-second", 0, "fill it at most so fast; 0: as fast as it can")
	fs.BoolVar(&j.request.Promote, "promote", false, "it goes live by itself once it is filled and verified")
	fs.BoolVar(&j.request.Force, "force", false, "create it although the start of the log was deleted")
}

// timeSetting reads a day or a time.
func timeSetting(value **time.Time) func(string) error {
	return func(s string) error {
		at, err := time.Parse(time.DateOnly, s)
		ok := err == nil
		if !ok {
			at, ok = input.ParseTime(s)
		}
		if !ok || at.Before(analytics.FirstTime) || at.After(analytics.LastTime) {
			return errors.New("it is no day (2011-03-01) and no time (2011-03-01T00:00:00Z) in the years 1900 to 2299")
		}
		at = at.UTC()
		*value = &at
		return nil
	}
}

// arguments takes the file, and checks what the settings have in common.
func (j *replayJob) arguments(files []string) error {
	if len(files) == 1 {
		j.file = files[0]
	}
	o := &j.request
	switch {
	case len(files) > 1 || (j.file == "") == (j.insight == ""):
		return errors.New("settings: name one file with a definition, or an insight with --insight")
	case j.insight != "" && j.key == "":
		return errors.New("settings: --insight computes again what is live, so it needs a --key that says which run it is")
	case o.From != nil && o.To != nil && !o.From.Before(*o.To):
		return errors.New("settings: --to must be after --from")
	}
	if o.Promote && (o.From != nil || o.To != nil || !o.UpTo.IsZero()) {
		return refused(errors.New("settings: a replay of a part of the history goes live only by force: " +
			"leave --promote out, and then holdfast replay promote it with --force"))
	}
	if fault := input.ActorFault(j.actor); fault != "" {
		return errors.New("settings: --actor " + fault)
	}
	if fault := input.KeyFault(j.key); j.key != "" && fault != "" {
		return errors.New("settings: --key: " + fault)
	}
	return nil
}

// run creates the replay unless it is there, and waits for it.
func (j *replayJob) run(ctx context.Context) error {
	if j.file != "" {
		text, err := os.ReadFile(j.file)
		if err != nil {
			return fmt.Errorf("read a definition: %w", err)
		}
		j.request.File, j.request.Text = j.file, text
	}
	if err := run.Check(ctx, j.cfg.Log); err != nil {
		return err
	}
	if err := clickhouse.Reach(ctx, j.cfg.ClickHouse, j.cfg.ClickHouseCluster); err != nil {
		return err
	}
	conn, err := clickhouse.OpenIn(j.cfg.ClickHouse, j.cfg.ClickHouseCluster)
	if err != nil {
		return err
	}
	defer conn.Close()
	client, err := eventlog.Open(j.cfg.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := client.ReadLayout(ctx)
	if err != nil {
		return err
	}
	decisions := catalog.New(client, j.cfg.Logger)
	j.service = replay.NewService(client, layout, conn, decisions)
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- decisions.Run(following) }()
	err = j.createAndWait(ctx)
	stop()
	return errors.Join(err, <-ended)
}

func (j *replayJob) createAndWait(ctx context.Context) error {
	for j.service.Ready() != nil {
		select {
		case <-j.service.Decided():
		case <-ctx.Done():
			return errStopped
		}
	}
	r, err := j.create(ctx)
	if err != nil {
		return err
	}
	return j.wait(ctx, r.ID)
}

// errStopped is the error for a job that was stopped before it waited. The replay may be there already.
var errStopped = errors.New("stopped before it waited for the replay; started again, it does")

func refused(err error) error { return &service.ExitError{Status: statusRefused, Err: err} }

// create creates the replay, or finds the one of an earlier start.
func (j *replayJob) create(ctx context.Context) (*catalog.Replay, error) {
	id, err := j.id()
	if err != nil {
		return nil, err
	}
	j.request.ID, j.request.By = id, catalog.Principal{Name: j.actor}
	if j.insight != "" {
		i := j.service.Insight(j.insight)
		switch known := j.service.Replay(id); {
		case known != nil && known.Insight == j.insight: // another version may be live by now
			j.request.Text = []byte(known.Text)
		case i == nil || i.Live == nil:
			return nil, refused(fmt.Errorf("no insight %s is live", j.insight))
		default:
			j.request.Text = []byte(i.Live.Text)
		}
		j.request.File = j.insight + ".yaml"
	}
	r, err := j.service.Create(ctx, j.request)
	if err == nil {
		return r, nil
	}
	if errors.Is(err, replay.ErrOtherRequest) {
		return nil, refused(fmt.Errorf("replay %s has this key, and another definition or other settings: give another --key",
			id))
	}
	_, cut := errors.AsType[*replay.CutLogError](err)
	_, refusal := errors.AsType[*catalog.Refusal](err)
	if faults, _ := insight.Problems(err); cut || refusal || len(faults) > 0 {
		return nil, refused(err)
	}
	if ctx.Err() != nil {
		return nil, errStopped
	}
	return nil, err
}

// id is the ID of the replay. It follows from the key, and without one from what is to be computed. Where the log ends
// and the host's name do not count: both are others when the job is started again.
func (j *replayJob) id() (string, error) {
	if j.key != "" {
		return uuid.NewSHA1(jobNamespace, []byte("key\x00"+j.key)).String(), nil
	}
	d, err := insight.Parse(j.request.File, j.request.Text)
	if err != nil {
		return "", refused(err)
	}
	o := &j.request
	what := fmt.Sprintf("settings\x00%s\x00%s\x00%s\x00%v\x00%v\x00%s\x00%d\x00%t",
		d.Name, d.Fingerprint(), o.Source, timeText(o.From), timeText(o.To), o.UpTo, o.EventsPerSecond, o.Promote)
	return uuid.NewSHA1(jobNamespace, []byte(what)).String(), nil
}

func timeText(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

// wait logs how far the replay is until nothing more becomes of it by itself.
func (j *replayJob) wait(ctx context.Context, id string) error {
	told := ""
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	for due := true; ; {
		decided := j.service.Decided()
		r := j.service.Replay(id)
		state := fmt.Sprint(r.Phase, r.Stalled, r.Verifying)
		if due || state != told {
			j.tell(ctx, r)
		}
		if told = state; j.service.IsIdle(r) {
			return ending(j.service.Replay(id)) // there may be news of it since
		}
		due = false
		select {
		case <-decided:
		case <-ticker.C:
			due = true
		case <-ctx.Done():
			return fmt.Errorf("stopped while replay %s was %s: it goes on", id, r.Phase)
		}
	}
}

// tell logs how far the replay is.
func (j *replayJob) tell(ctx context.Context, r *catalog.Replay) {
	attributes := []any{"insight", r.Insight, "replay", r.ID, "phase", r.Phase}
	if r.Phase == catalog.Filling || r.Phase == catalog.Paused {
		st, err := j.service.Status(ctx, r)
		if err != nil {
			attributes = append(attributes, "progress_unknown", err)
		} else {
			attributes = append(attributes,
				"events", st.Done, "of", st.Total, "events_per_second", int64(st.EventsPerSecond))
			if left := st.Remaining.Round(time.Second); left > 0 {
				attributes = append(attributes, "remaining", left.String())
			}
		}
	}
	if r.Filled != nil {
		attributes = append(attributes, "events", r.Filled.Events, "seconds", r.Filled.Seconds)
	}
	if r.Verifying {
		attributes = append(attributes, "verifying", true)
	} else if v := r.Verified; v != nil {
		attributes = append(attributes, "verified", v.Green, "compared_with_log", v.Sampled)
	}
	if r.Stalled != "" {
		attributes = append(attributes, "stalled", r.Stalled)
	}
	j.cfg.Logger.Info("replay", attributes...)
}

// ending is the exit status for a replay of which nothing more becomes by itself.
func ending(r *catalog.Replay) error {
	failed := r.Verified != nil && !r.Verified.Green
	switch {
	case r.Phase == catalog.Live, !r.Promote && !failed && (r.Phase == catalog.Staged || r.Phase == catalog.Former):
		return nil
	case r.Phase == catalog.Paused:
		return &service.ExitError{Status: statusEnded, Err: fmt.Errorf("replay %s is paused: holdfast replay resume goes "+
			"on with it", r.ID)}
	case r.Phase != catalog.Staged:
		return &service.ExitError{Status: statusEnded, Err: fmt.Errorf("replay %s is %s: another --key computes it again",
			r.ID, r.Phase)}
	case failed:
		return &service.ExitError{Status: statusFailed, Err: fmt.Errorf("the verification of replay %s failed: %s", r.ID,
			r.Verified.Problem)}
	}
	return refused(fmt.Errorf("replay %s was to go live by itself, and is staged: holdfast replay promote says why", r.ID))
}
