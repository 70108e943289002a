package retail

import (
	"context"
	"fmt"

	"github.com/holdfast/holdfast/pkg/client"
)

// Limits of one request.
const (
	maxRequestCommands = 2_000
	maxRequestBytes    = 8 << 20
)

// Sender sends commands to the API and returns their outcomes in order. On an error there may be fewer outcomes than
// commands; the missing ones are open.
type Sender interface {
	Send(ctx context.Context, commands []Command) ([]client.Outcome, error)
}

// Importer sends a book.
type Importer struct {
	Sender Sender
	// Progress, if set, is called with the number of rows that have an outcome.
	Progress func(rowsDone int)

	refused Refused
	rows    int
}

// Import sends all documents of the book and returns what the API refused for good. It may be interrupted at any point
// and started again, because its keys are the same each time. It ends when an item or its opening stock is refused,
// since sales would fail after that.
func (im *Importer) Import(ctx context.Context, b *Book) (Refused, error) {
	im.refused, im.rows = Refused{}, 0
	err := b.phases(func(commands []Command) error {
		for len(commands) > 0 {
			n := requestLength(commands)
			if err := im.send(ctx, commands[:n]); err != nil {
				return err
			}
			commands = commands[n:]
		}
		return nil
	})
	return im.refused, err
}

// requestLength is how many of the commands fit into one request.
func requestLength(commands []Command) int {
	size := 0
	for i := range commands {
		size += len(commands[i].Body)
		if i == maxRequestCommands || (i > 0 && size > maxRequestBytes) {
			return i
		}
	}
	return len(commands)
}

// send sends commands until each has a definite outcome.
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

// AcceptedRows is the number of rows that an import of the book sends.
func (b *Book) AcceptedRows() int {
	n := 0
	for _, d := range b.Documents {
		n += len(d.Lines)
	}
	return n
}
