// Package ndjson imports files of commands, one JSON object a line, as POST /v1/commands takes them.
//
// It reads a file twice: once to count its lines and to tell it from other files, and once to send it. What it knows
// of a line is its id; everything else is for the API to judge.
package ndjson

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/client"
)

// Limits of one request.
const (
	maxRequestLines = 4_000
	maxRequestBytes = 8 << 20
)

// Importer sends files of commands.
type Importer struct {
	Client *client.Client
	// Rejects gets a line of JSON for each that was not accepted.
	Rejects io.Writer
	// Progress, when set, hears how many lines have an outcome.
	Progress func(lines int)

	summary Summary
}

// Summary says what became of a file's lines. Accepted includes Repeated, those that were known to be there already.
type Summary struct {
	Read, Accepted, Repeated, Rejected int
	// Codes counts the rejected lines by the code of their problem.
	Codes map[string]int
}

// Import sends all of the file's lines, in order. It may be ended at any point and started again: ids make repeats
// harmless. On an error the summary tells how far it came.
func (im *Importer) Import(ctx context.Context, f *File) (Summary, error) {
	im.summary = Summary{Codes: map[string]int{}}
	r, err := f.reader()
	if err != nil {
		return im.summary, err
	}
	defer r.close()
	for {
		lines, err := im.gather(f, r)
		if err != nil && !errors.Is(err, io.EOF) {
			return im.summary, err
		}
		if len(lines) > 0 {
			if err := client.Complete(ctx, lines, im.send, im.settled); err != nil {
				return im.summary, err
			}
		}
		if err != nil {
			return im.summary, nil
		}
	}
}

// gather reads the lines of one request, and io.EOF with the last ones. Those that cannot be sent are rejected.
func (im *Importer) gather(f *File, r *lineReader) ([]command, error) {
	var lines []command
	for size := 0; len(lines) < maxRequestLines && size < maxRequestBytes; {
		read, err := r.next()
		if err != nil {
			return lines, err
		}
		im.summary.Read++
		c, problem := parse(read, f.id(read.number))
		if problem != nil {
			if err := im.reject(c, problem.Code, problem.AppendJSON(nil)); err != nil {
				return nil, err
			}
			continue
		}
		size += len(c.text)
		lines = append(lines, c)
	}
	return lines, nil
}

func (im *Importer) send(ctx context.Context, lines []command) ([]client.Outcome, error) {
	ids := make([]string, len(lines))
	var body bytes.Buffer
	for i := range lines {
		ids[i] = lines[i].id
		body.Write(lines[i].text)
		body.WriteByte('\n')
	}
	return im.Client.Outcomes(ctx, ids, &body)
}

func (im *Importer) settled(c command, o client.Outcome) error {
	if !o.Done() {
		return im.reject(c, o.Code, o.Problem)
	}
	im.summary.Accepted++
	if o.Repeated {
		im.summary.Repeated++
	}
	im.progress()
	return nil
}

func (im *Importer) reject(c command, code string, problem jsontext.Value) error {
	im.summary.Rejected++
	im.summary.Codes[code]++
	im.progress()
	return writeReject(im.Rejects, c, problem)
}

func (im *Importer) progress() {
	if im.Progress != nil {
		im.Progress(im.summary.Accepted + im.summary.Rejected)
	}
}
