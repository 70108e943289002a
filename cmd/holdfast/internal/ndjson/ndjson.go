// Package ndjson imports files of commands, which have one JSON object a line like POST /v1/commands.
//
// It reads a file twice: first to count its lines and to compute the file's checksum, then to send it. Of a line it
// reads only the id. The API checks everything else.
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
	// Rejects gets a line of JSON for each line that was not accepted.
	Rejects io.Writer
	// Progress, if set, is called with the number of lines that have an outcome.
	Progress func(lines int)

	summary Summary
}

// Summary counts the outcomes of a file's lines. Accepted includes Repeated, which were accepted by an earlier import.
type Summary struct {
	Read, Accepted, Repeated, Rejected int
	// Codes counts rejected lines by the code of their problem.
	Codes map[string]int
}

// Import sends all lines of the file in order. It may be interrupted at any point and started again, because each
// line's id is its idempotency key. On an error the summary has what was done until then.
func (im *Importer) Import(ctx context.Context, f *File) (Summary, error) {
	im.summary = Summary{Codes: map[string]int{}}
	r, err := f.reader()
	if err != nil {
		return im.summary, err
	}
	defer r.close()
	for {
		lines, err := im.readRequest(f, r)
		if err != nil && !errors.Is(err, io.EOF) {
			return im.summary, err
		}
		if len(lines) > 0 {
			if err := client.Complete(ctx, lines, im.send, im.completed); err != nil {
				return im.summary, err
			}
		}
		if err != nil {
			return im.summary, nil
		}
	}
}

// readRequest reads the lines of one request, with io.EOF after the last ones. It rejects those that cannot be sent.
func (im *Importer) readRequest(f *File, r *lineReader) ([]command, error) {
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

func (im *Importer) completed(c command, o client.Outcome) error {
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
