package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// startQuiet is how long a start may take before it says what it waits for; startLineEvery is between two lines of that
// where there is no terminal to write over.
const (
	startQuiet     = 2 * time.Second
	startLineEvery = 3 * time.Second
	// startColumns of a terminal's line are written over; a longer text would leave its first lines behind.
	startColumns = 79
)

// starting tells what a platform that starts still waits for: where its caches are gone, it reads the whole log.
type starting struct {
	out         io.Writer
	begin, next time.Time
	told        bool
}

func newStarting(out io.Writer) *starting {
	now := time.Now()
	return &starting{out: out, begin: now, next: now.Add(startQuiet)}
}

// waiting tells the first of the reasons; the others mostly wait for the same log.
func (s *starting) waiting(reason error) {
	now := time.Now()
	if now.Before(s.next) {
		return
	}
	s.told = true
	first, _, _ := strings.Cut(reason.Error(), "\n")
	text := fmt.Sprintf("Starting, %.0f s: %s", now.Sub(s.begin).Seconds(), first)
	if isTerminal(s.out) {
		fmt.Fprintf(s.out, "\r%.*s\x1b[K", startColumns, text)
		return
	}
	s.next = now.Add(startLineEvery)
	fmt.Fprintln(s.out, text)
}

// close leaves the terminal's line empty.
func (s *starting) close() {
	if s.told && isTerminal(s.out) {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}
