package retail

import (
	"context"
	"fmt"

	"github.com/holdfast/holdfast/pkg/client"
)

// Limits of an import.
const (
	// maxChunkCommands and maxChunkBytes bound one request.
	maxChunkCommands = 2_000
	maxChunkBytes    = 8 << 20
)

// Sender carries out commands through the API and returns their results in order. On an error the results
// may be fewer than the commands; the rest has an open outcome.
type Sender interface {
	Send(ctx context.Context, commands []Command) ([]client.Outcome, error)
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
	return client.Complete(ctx, commands, im.Sender.Send, func(c Command, o client.Outcome) error {
		if !o.Done() && c.Rows == 0 {
			return fmt.Errorf("%s %s was refused: %s: %s", c.Type, c.Key, o.Code, o.Detail)
		}
		if !o.Done() {
			im.refused[c.Key] = o.Code + ": " + o.Detail
		}
		im.rows += c.Rows
		if im.Progress != nil {
			im.Progress(im.rows)
		}
		return nil
	})
}

// AcceptedRows is how many rows an import of the book sends.
func (b *Book) AcceptedRows() int {
	n := 0
	for _, d := range b.Documents {
		n += len(d.Lines)
	}
	return n
}
