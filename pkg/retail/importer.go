package retail

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Limits of an import.
const (
	// maxChunkCommands and maxChunkBytes bound one request.
	maxChunkCommands = 2_000
	maxChunkBytes    = 8 << 20
	// maxPatience bounds how long the same commands are sent again before the import gives up; it resumes
	// when it is started again.
	maxPatience = 2 * time.Minute
	firstPause  = 50 * time.Millisecond
	longestWait = 2 * time.Second
)

// Result is the API's answer to one command.
type Result struct {
	// Status is the HTTP status. Code and Detail are those of the problem, when it is one.
	Status       int
	Code, Detail string
}

// done: carried out, now or by an earlier request with the same key.
func (r Result) done() bool { return r.Status == http.StatusOK || r.Status == http.StatusCreated }

// again: the outcome is open. Sending the same key again is safe and leads to it.
func (r Result) again() bool {
	switch r.Status {
	case 0, http.StatusAccepted, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return r.Status >= http.StatusInternalServerError
}

// Sender carries out commands through the API and returns their results in order. On an error the results
// may be fewer than the commands; the rest has an open outcome.
type Sender interface {
	Send(ctx context.Context, commands []Command) ([]Result, error)
}

// Importer sends a book.
type Importer struct {
	Sender Sender
	// Progress, when set, hears how many of the book's accepted rows are done.
	Progress func(rowsDone int)

	refused Refused
	rows    int
}

// Import sends everything the book holds and returns what the API refused for good. It may be ended at any point and
// started again: keys make repeats harmless. Register and opening failures end it, since sales would fail after them.
func (im *Importer) Import(ctx context.Context, b *Book) (Refused, error) {
	im.refused, im.rows = Refused{}, 0
	err := b.phases(func(commands []Command) error {
		for len(commands) > 0 {
			n := chunk(commands)
			if err := im.send(ctx, commands[:n]); err != nil {
				return err
			}
			commands = commands[n:]
		}
		return nil
	})
	return im.refused, err
}

// chunk is how many of the commands fit into one request.
func chunk(commands []Command) int {
	size := 0
	for i := range commands {
		size += len(commands[i].Body)
		if i == maxChunkCommands || (i > 0 && size > maxChunkBytes) {
			return i
		}
	}
	return len(commands)
}

// send repeats the commands until each has a definite outcome.
func (im *Importer) send(ctx context.Context, commands []Command) error {
	var deadline time.Time
	var last error
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		results, err := im.Sender.Send(ctx, commands)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if len(results) > len(commands) {
			return fmt.Errorf("%d results came for %d commands", len(results), len(commands))
		}
		open, settleErr := im.settle(commands, results)
		if settleErr != nil {
			return settleErr
		}
		if len(open) == 0 {
			return nil
		}
		if err == nil {
			err = openError(commands, results)
		}
		last = err
		if len(open) < len(commands) || deadline.IsZero() {
			deadline = time.Now().Add(maxPatience)
			pause = firstPause
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no outcome for %d commands within %v; the same import goes on where it stopped: %w", len(open), maxPatience, last)
		}
		commands = open
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// settle takes the definite results and returns the commands without one.
func (im *Importer) settle(commands []Command, results []Result) ([]Command, error) {
	var open []Command
	for i, c := range commands {
		var r Result
		if i < len(results) {
			r = results[i]
		}
		switch {
		case r.again():
			open = append(open, c)
			continue
		case r.done():
		case c.Rows == 0:
			return nil, fmt.Errorf("%s %s was refused: %s: %s", c.Type, c.Key, r.Code, r.Detail)
		default:
			im.refused[c.Key] = r.Code + ": " + r.Detail
		}
		im.rows += c.Rows
	}
	if im.Progress != nil {
		im.Progress(im.rows)
	}
	return open, nil
}

func openError(commands []Command, results []Result) error {
	for i, r := range results {
		if r.again() && r.Status != 0 {
			return fmt.Errorf("%s %s: status %d %s: %s", commands[i].Type, commands[i].Key, r.Status, r.Code, r.Detail)
		}
	}
	return errors.New("the stream ended before all results came")
}

// AcceptedRows is how many rows an import of the book sends.
func (b *Book) AcceptedRows() int {
	n := 0
	for _, d := range b.Documents {
		n += len(d.Lines)
	}
	return n
}
