package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// progressLineEvery is how often progress is written where there is no terminal with a line to overwrite.
const progressLineEvery = 3 * time.Second

const (
	// startQuiet is how long a start may take before it says what it waits for.
	startQuiet = 2 * time.Second
	// startColumns is how much of a text is shown on a terminal. A text of several lines would not be overwritten.
	startColumns = 79
)

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// startProgress shows what a starting platform waits for. A start is long where caches are missing, because then the
// platform reads the whole log.
type startProgress struct {
	out         io.Writer
	begin, next time.Time
	shown       bool
}

func newStartProgress(out io.Writer) *startProgress {
	now := time.Now()
	return &startProgress{out: out, begin: now, next: now.Add(startQuiet)}
}

// waiting shows the first of the reasons. The others mostly wait for the same log.
func (p *startProgress) waiting(reason error) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.shown = true
	text := fmt.Sprintf("Starting, %.0f s: %s", now.Sub(p.begin).Seconds(), firstLine(reason.Error()))
	if isTerminal(p.out) {
		fmt.Fprintf(p.out, "\r%.*s\x1b[K", startColumns, text)
		return
	}
	p.next = now.Add(progressLineEvery)
	fmt.Fprintln(p.out, text)
}

// close clears the terminal's line.
func (p *startProgress) close() {
	if p.shown && isTerminal(p.out) {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func firstLine(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return first
}

// partProgress shows which part of a long command is under way: on a terminal in one line, otherwise in a line every
// few seconds.
type partProgress struct {
	out   io.Writer
	next  time.Time
	shown bool
}

func (p *partProgress) show(text string) {
	now := time.Now()
	switch {
	case isTerminal(p.out):
		p.shown = true
		fmt.Fprintf(p.out, "\r%.*s\x1b[K", startColumns, text)
	case now.After(p.next):
		p.next = now.Add(progressLineEvery)
		fmt.Fprintln(p.out, text)
	}
}

// close clears the terminal's line.
func (p *partProgress) close() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// importProgress shows how far an import is: a bar on a terminal, otherwise a line every few seconds.
type importProgress struct {
	bar   *progressbar.ProgressBar
	out   io.Writer
	total int
	unit  string
	start time.Time
	next  time.Time
}

func newImportProgress(out io.Writer, total int, unit string) *importProgress {
	now := time.Now()
	p := &importProgress{out: out, total: total, unit: unit, start: now, next: now.Add(progressLineEvery)}
	if isTerminal(out) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription("  importing"),
			progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

func (p *importProgress) show(done int) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("  importing, %s %s/s", count(p.rate(done)), p.unit))
		_ = p.bar.Set(done) // a bar that cannot be drawn is no reason to stop
		return
	}
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(progressLineEvery)
		fmt.Fprintf(p.out, "  importing: %s of %s %s, %s %s/s\n",
			count(int64(done)), count(int64(p.total)), p.unit, count(p.rate(done)), p.unit)
	}
}

// rate is how many were done each second so far.
func (p *importProgress) rate(done int) int64 {
	return int64(float64(done) / time.Since(p.start).Seconds())
}

func (p *importProgress) close() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
