package catalog

import (
	"maps"
	"slices"

	"github.com/holdfast/holdfast/pkg/insight"
)

// Apply is the state after a decision. A decision that is not allowed is a *Refusal, and leaves the state as it is. One
// that was seen before changes nothing.
func (s *State) Apply(d Decision) (*State, error) {
	if s.seen[d.ID] {
		return s, nil
	}
	next := s.clone()
	if err := next.note(d); err != nil {
		return s, err
	}
	return next, nil
}

// note changes the state by a decision. One that is not allowed changes nothing.
func (s *State) note(d Decision) error {
	if s.seen[d.ID] {
		return nil
	}
	err := s.apply(d)
	if err == nil {
		s.seen[d.ID] = true
	}
	return err
}

// clone copies the state as deep as note changes it.
func (s *State) clone() *State {
	next := &State{
		insights: make(map[string]*Insight, len(s.insights)), replays: make(map[string]*Replay, len(s.replays)),
		order: slices.Clone(s.order), seen: maps.Clone(s.seen),
	}
	for id, r := range s.replays {
		copied := *r
		copied.Log = slices.Clip(r.Log) // what is appended to the copy is not in the original
		next.replays[id] = &copied
	}
	of := func(r *Replay) *Replay {
		if r == nil {
			return nil
		}
		return next.replays[r.ID]
	}
	for name, i := range s.insights {
		copied := &Insight{Name: name, Live: of(i.Live), Former: of(i.Former)}
		for _, r := range i.Replays {
			copied.Replays = append(copied.Replays, of(r))
		}
		next.insights[name] = copied
	}
	return next
}

func (s *State) apply(d Decision) error {
	switch d.Type {
	case ReplayCreated:
		return s.create(d)
	case InsightDropped:
		return s.drop(d)
	case RolledBack:
		return s.rollBack(d)
	default:
		return s.decideReplay(d)
	}
}

// decideReplay applies a decision about one replay that exists.
func (s *State) decideReplay(d Decision) error {
	r := s.replays[d.ReplayID]
	if r == nil {
		return &Refusal{Unknown: true, Text: "there is no replay " + d.ReplayID}
	}
	if err := s.change(r, d); err != nil {
		return err
	}
	r.log(d)
	s.startQueued(s.insights[r.Insight])
	return nil
}

// maxStalls is how many stalls and continuations that follow each other are kept in a replay's log, the newest. Where
// ClickHouse comes and goes for a week, the log is as short as before.
const maxStalls = 20

// log notes a decision about the replay.
func (r *Replay) log(d Decision) {
	isStall := func(d Decision) bool { return d.Type == ReplayStalled || d.Type == ReplayContinued }
	begin := len(r.Log)
	for begin > 0 && isStall(r.Log[begin-1]) {
		begin--
	}
	if isStall(d) && len(r.Log)-begin >= maxStalls {
		r.Log = slices.Delete(slices.Clone(r.Log), begin, begin+1)
	}
	r.Log = append(r.Log, d)
}

func (s *State) create(d Decision) error {
	if d.Created == nil || d.ReplayID == "" || d.Insight == "" {
		return refuse("a replay has an ID, the name of an insight, and a definition")
	}
	if s.replays[d.ReplayID] != nil {
		return refuse("there is a replay %s already", d.ReplayID)
	}
	r := &Replay{
		ID: d.ReplayID, Insight: d.Insight, Created: *d.Created, At: d.At, By: d.By, Phase: Queued, Log: []Decision{d},
	}
	var err error
	if r.Definition, err = insight.Parse(d.Insight+".yaml", []byte(d.Created.Text)); err != nil {
		r.Stalled = "this release cannot read the definition: " + err.Error()
	}
	i := s.insights[d.Insight]
	if i == nil {
		i = &Insight{Name: d.Insight}
		s.insights[d.Insight] = i
	}
	i.Replays = append(i.Replays, r)
	s.replays[r.ID] = r
	s.order = append(s.order, r.ID)
	s.startQueued(i)
	return nil
}

// startQueued lets the oldest replay that waits begin, unless another one of the insight is at work.
func (s *State) startQueued(i *Insight) {
	for _, r := range i.Replays {
		switch r.Phase {
		case Filling, Paused:
			return
		case Queued:
			r.Phase = Filling
			return
		default: // it needs no work, or has ended
		}
	}
}

// change applies a decision about one replay.
func (s *State) change(r *Replay, d Decision) error {
	switch d.Type {
	case ReplayPaused:
		return r.move(d, Paused, Filling)
	case ReplayResumed:
		return r.move(d, Filling, Paused)
	case ReplayCancelled:
		if err := r.move(d, Cancelled, Queued, Filling, Paused); err != nil {
			return err
		}
		r.Verifying = false
		return nil
	case ReplayDiscarded:
		return s.discard(r, d)
	case Promoted:
		return s.promote(r, d)
	default:
		return r.noteWork(d)
	}
}

// noteWork applies a decision about the work of a replay.
func (r *Replay) noteWork(d Decision) error {
	phases, known := workPhases[d.Type]
	if !known {
		return refuse("a decision of the unknown type %s: a newer release has written it", d.Type)
	}
	if err := r.is(d, phases...); err != nil {
		return err
	}
	switch d.Type {
	case ReplayFilled:
		r.Phase, r.Filled, r.Stalled = Staged, d.Filled, ""
	case ReplayStalled:
		r.Stalled = d.Reason
	case ReplayContinued:
		r.Stalled = ""
	case VerifyRequested:
		r.Verifying = true
	case ReplayVerified:
		r.Verified, r.Verifying = d.Verified, false
	default: // no other has phases
	}
	return nil
}

// workPhases are the phases in which decisions about the work of a replay are allowed.
var workPhases = map[Type][]Phase{
	ReplayFilled:    {Filling},
	ReplayStalled:   {Filling, Staged, Live, Former},
	ReplayContinued: {Filling, Paused, Staged, Live, Former},
	VerifyRequested: {Filling, Staged, Former, Live},
	ReplayVerified:  {Filling, Paused, Staged, Live, Former},
}

// is refuses a decision about a replay that is in none of the phases.
func (r *Replay) is(d Decision, phases ...Phase) error {
	if slices.Contains(phases, r.Phase) {
		return nil
	}
	return refuse("%s is not possible: replay %s is %s", d.Type.verb(), r.ID, r.Phase)
}

func (r *Replay) move(d Decision, to Phase, from ...Phase) error {
	if err := r.is(d, from...); err != nil {
		return err
	}
	r.Phase = to
	return nil
}

func (s *State) discard(r *Replay, d Decision) error {
	if r.Phase == Live {
		return refuse("replay %s is live: promote another, or drop the insight", r.ID)
	}
	if err := r.move(d, Discarded, Staged, Former); err != nil {
		return err
	}
	r.Verifying = false
	if i := s.insights[r.Insight]; i.Former == r {
		i.Former = nil
	}
	return nil
}

// promote makes a staged replay live. It must have been verified against what is live now.
func (s *State) promote(r *Replay, d Decision) error {
	i := s.insights[r.Insight]
	if r.Phase == Live {
		return nil // it was decided twice
	}
	if err := r.is(d, Staged, Former); err != nil {
		return err
	}
	if err := i.mayPromote(r, d.Forced); err != nil {
		return err
	}
	if i.Former != nil && i.Former != r {
		i.Former.Phase, i.Former.Verifying = Discarded, false
		i.Former.log(d)
	}
	i.Former = i.Live
	if i.Former != nil {
		i.Former.Phase = Former
		i.Former.log(d)
	}
	r.Phase, r.PromotedAt = Live, d.At
	i.Live = r
	return nil
}

func (i *Insight) mayPromote(r *Replay, forced bool) error {
	live := ""
	if i.Live != nil {
		live = i.Live.ID
	}
	switch {
	case r.IsPartial():
		return unless(forced, "replay %s covers a part of the history only: replay everything, or force it", r.ID)
	case r.Verified == nil:
		return unless(forced, "replay %s was not verified: verify it first, or force it", r.ID)
	case !r.Verified.Green:
		return unless(forced, "the verification of replay %s failed: %s: discard it, verify it again, or force it",
			r.ID, r.Verified.Problem)
	case r.Verified.Against != live:
		return unless(forced, "another version went live since replay %s was verified: verify it again, or force it", r.ID)
	}
	return nil
}

func (s *State) rollBack(d Decision) error {
	i := s.insights[d.Insight]
	switch {
	case i == nil:
		return &Refusal{Unknown: true, Text: "there is no insight " + d.Insight}
	case i.Former == nil:
		return refuse("%s has no former version: it was discarded, or nothing was live before", d.Insight)
	case d.ReplayID != "" && i.Live.ID != d.ReplayID:
		return refuse("replay %s is not live, so that it cannot be rolled back", d.ReplayID)
	}
	i.Live, i.Former = i.Former, i.Live
	i.Live.Phase, i.Live.PromotedAt = Live, d.At
	i.Former.Phase = Former
	i.Live.log(d)
	i.Former.log(d)
	return nil
}

func (s *State) drop(d Decision) error {
	i := s.insights[d.Insight]
	if i == nil {
		return &Refusal{Unknown: true, Text: "there is no insight " + d.Insight}
	}
	for _, r := range i.Replays {
		if !r.IsEnded() {
			r.Phase, r.Verifying = Discarded, false
			r.log(d)
		}
	}
	delete(s.insights, d.Insight)
	return nil
}

var verbs = map[Type]string{
	ReplayPaused: "pausing", ReplayResumed: "resuming", ReplayCancelled: "cancelling", ReplayDiscarded: "discarding",
	VerifyRequested: "verifying", Promoted: "promoting", ReplayFilled: "staging", ReplayStalled: "stalling",
	ReplayContinued: "going on", ReplayVerified: "noting a verification",
}

func (t Type) verb() string { return verbs[t] }
