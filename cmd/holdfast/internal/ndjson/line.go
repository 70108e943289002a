package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/limits"
	"github.com/holdfast/holdfast/pkg/problem"
)

// Limits of lines.
const (
	// MaxLineBytes bounds a line with its id, also if the line had none.
	MaxLineBytes = limits.MaxBulkLineBytes
	// maxRejectBytes bounds how much the rejects file shows of a line longer than MaxLineBytes.
	maxRejectBytes = 1 << 10
)

// command is a line to send.
type command struct {
	number int
	id     string
	// text has the id before any other member, so that the API's answer can name it even if a later member is wrong.
	text []byte
	// asRead is the line as it is in the file, and cut means that it was cut to maxRejectBytes.
	asRead []byte
	cut    bool
}

// parse reads only the id of a line. A line that is no JSON object, or too long, is not sent.
func parse(l line, id string) (command, *problem.Problem) {
	c := command{number: l.number, id: id}
	if len(l.text) > MaxLineBytes {
		c.asRead, c.cut = bytes.Clone(l.text[:maxRejectBytes]), true
		return c, tooLong(l.bytes)
	}
	c.asRead = bytes.Clone(l.text)
	own, members, err := split(c.asRead)
	if err != nil {
		return c, unreadable(err)
	}
	if own != "" {
		c.id = own
	}
	quoted, err := jsontext.AppendQuote(nil, c.id)
	if err != nil {
		return c, unreadable(err)
	}
	c.text = append(append(append(make([]byte, 0, len(members)+len(quoted)+8), `{"id":`...), quoted...), members...)
	c.text = append(c.text, '}')
	if len(c.text) > MaxLineBytes {
		return c, tooLong(len(c.text))
	}
	return c, nil
}

var errWrongType = errors.New("wrong type")

// split removes the id from a JSON object. Each of the members that it returns begins with a comma.
func split(text []byte) (id string, members []byte, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if start, err := d.ReadToken(); err != nil {
		return "", nil, err
	} else if start.Kind() != '{' {
		return "", nil, fmt.Errorf("%w: a line must be a JSON object", errWrongType)
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			return "", nil, err
		}
		begin := len(members)
		members = append(append(append(members, ','), name...), ':')
		isID := string(name) == `"id"`
		value, err := d.ReadValue()
		switch {
		case err != nil:
			return "", nil, err
		case !isID:
			members = append(members, value...)
			continue
		case value.Kind() != '"':
			return "", nil, fmt.Errorf("%w: id must be a string", errWrongType)
		}
		unquoted, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return "", nil, err
		}
		id, members = string(unquoted), members[:begin]
	}
	if _, err := d.ReadToken(); err != nil {
		return "", nil, err
	}
	if _, err := d.ReadToken(); err == nil {
		return "", nil, errors.New("something stands behind the JSON object")
	} else if !errors.Is(err, io.EOF) {
		return "", nil, err
	}
	return id, members, nil
}

func tooLong(size int) *problem.Problem {
	return &problem.Problem{Code: problem.LineTooLong,
		Detail: "A line may have " + strconv.Itoa(MaxLineBytes) + " bytes; this one has " + strconv.Itoa(size) + "."}
}

func unreadable(err error) *problem.Problem {
	code := problem.MalformedJSON
	switch {
	case errors.Is(err, errWrongType):
		code = problem.WrongType
	case errors.Is(err, jsontext.ErrDuplicateName):
		code = problem.DuplicateField
	}
	return &problem.Problem{Code: code, Detail: err.Error()}
}

// writeReject writes a line of the rejects file.
func writeReject(to io.Writer, c command, problem jsontext.Value) error {
	b := append([]byte(`{"line":`), strconv.Itoa(c.number)...)
	b = append(b, `,"id":`...)
	b = appendjson.String(b, c.id)
	b = append(b, `,"text":`...)
	b = appendjson.String(b, string(c.asRead))
	if c.cut {
		b = append(b, `,"cut":true`...)
	}
	b = append(b, `,"problem":`...)
	b = append(b, problem...)
	if _, err := to.Write(append(b, '}', '\n')); err != nil {
		return fmt.Errorf("write rejects: %w", err)
	}
	return nil
}
