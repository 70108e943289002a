package main

import (
	"fmt"
	"io"
	"time"

	"github.com/holdfast/holdfast/pkg/analytics"
)

// rebuildProgress shows how far a rebuild is: on one line of a terminal, otherwise a line for each phase, and every few
// seconds one while the second mirror is filled.
type rebuildProgress struct {
	out      io.Writer
	terminal bool
	last     analytics.RebuildState
	// began is when the second mirror was first seen to be filled, and from how far it was then.
	began time.Time
	from  int64
	next  time.Time
	// compared is true once the two were compared.
	compared bool
	shown    bool // the terminal's line has text
}

func newRebuildProgress(out io.Writer) *rebuildProgress {
	return &rebuildProgress{out: out, terminal: isTerminal(out)}
}

// show shows a state.
func (p *rebuildProgress) show(s analytics.RebuildState) {
	now := time.Now()
	if p.began.IsZero() && s.End > 0 {
		p.began, p.from = now, s.Reached
	}
	changed := s.Phase != p.last.Phase || (s.Fault == nil) != (p.last.Fault == nil)
	p.last, p.compared = s, p.compared || s.Phase == analytics.RebuildCompares
	if !changed && (s.Phase != analytics.RebuildFills || !p.terminal && now.Before(p.next)) {
		return
	}
	p.next = now.Add(progressLineEvery)
	if p.terminal {
		fmt.Fprintf(p.out, "\r%.*s\x1b[K", startColumns, p.text(s, now))
		p.shown = true
		return
	}
	fmt.Fprintln(p.out, p.text(s, now))
}

func (p *rebuildProgress) text(s analytics.RebuildState, now time.Time) string {
	switch s.Phase {
	case analytics.RebuildCompares:
		return "Comparing the second mirror with the one in use"
	case analytics.RebuildWaits:
		return "Waiting until no projector of another version writes for 10 s: stop it now"
	case analytics.RebuildFences:
		return "Catching up; the mirror in use takes no rows meanwhile"
	case analytics.RebuildSwaps:
		return "Swapping the two mirrors"
	case analytics.RebuildDrops:
		return "Dropping the former tables"
	case analytics.RebuildFills:
	}
	switch {
	case s.Fault != nil:
		return "Filling is tried again: " + s.Fault.Error()
	case s.End == 0 && s.Resumed:
		return "Going on with the second mirror of an earlier rebuild"
	case s.End == 0:
		return "Filling a second mirror"
	}
	verb := "Filling"
	if p.compared {
		verb = "Following the log"
	}
	text := fmt.Sprintf("%s: %s of %s offsets (%d %%)", verb, count(s.Reached), count(s.End), 100*s.Reached/s.End)
	passed := now.Sub(p.began)
	if rate := float64(s.Reached-p.from) / passed.Seconds(); passed > time.Second && rate >= 1 {
		left := time.Duration(float64(s.End-s.Reached) / rate * float64(time.Second)).Round(time.Second)
		text += fmt.Sprintf(", %s/s, %s left", count(int64(rate)), left)
	}
	return text
}

// Write implements io.Writer for warnings, which are not overwritten.
func (p *rebuildProgress) Write(text []byte) (int, error) {
	p.close()
	return p.out.Write(text)
}

// close clears the terminal's line.
func (p *rebuildProgress) close() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}
