package eventlog

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// Incarnation tells a log that was restored from a backup from all others: positions in one mean nothing in another. It
// is empty for a log that was not restored. The layout topic has it.
type Incarnation string

// incarnationPattern is the text of an incarnation.
var incarnationPattern = regexp.MustCompile(`^[0-9a-f]{8}$`)

// incarnationLetter begins the part of a position that names the incarnation.
const incarnationLetter = 'r'

// OtherLogError means that a position, or a cursor, is of another log: the one before it was restored, or another
// platform's.
type OtherLogError struct{ Has, Wants Incarnation }

// Error implements error.
func (e *OtherLogError) Error() string {
	return fmt.Sprintf("it is of another log (%s) than this one (%s)", e.Has.name(), e.Wants.name())
}

func (i Incarnation) name() string {
	if i == "" {
		return "one that was never restored"
	}
	return "restored as " + string(i)
}

// prefix is how texts begin that belong to the incarnation.
func (i Incarnation) prefix() string {
	if i == "" {
		return ""
	}
	return string(incarnationLetter) + string(i) + "~"
}

// Text is a position as clients see it: that of a restored log begins with its incarnation, such as
// "r1a2b3c4d~o3.1234~i7.88". The beginning is the empty string in every log.
func (i Incarnation) Text(p Position) string { return string(i.Append(nil, p)) }

// Append appends the text of a position.
func (i Incarnation) Append(b []byte, p Position) []byte {
	if p.IsZero() {
		return b
	}
	return p.Append(append(b, i.prefix()...))
}

// Prefixed is the text of a position as clients see it, from that which this package's Position has.
func (i Incarnation) Prefixed(text string) string {
	if text == "" {
		return ""
	}
	return i.prefix() + text
}

// Parse reads a position that a client sends back. One of another log is an *OtherLogError.
func (i Incarnation) Parse(text string) (Position, error) {
	has, rest, err := splitIncarnation(text)
	if err != nil {
		return Position{}, err
	}
	p, err := ParsePosition(rest)
	if err == nil && has != i && !p.IsZero() {
		err = &OtherLogError{has, i}
	}
	if err != nil {
		return Position{}, err
	}
	return p, nil
}

// ParseAny reads a position of any log.
func ParseAny(text string) (Position, error) {
	_, rest, err := splitIncarnation(text)
	if err != nil {
		return Position{}, err
	}
	return ParsePosition(rest)
}

func splitIncarnation(text string) (i Incarnation, rest string, err error) {
	if text == "" || text[0] != incarnationLetter {
		return "", text, nil
	}
	name, rest, found := strings.Cut(text[1:], "~")
	if !found || !incarnationPattern.MatchString(name) {
		return "", "", fmt.Errorf("position: %q names no incarnation", name)
	}
	return Incarnation(name), rest, nil
}

// Cursor is a cursor as clients see it.
func (i Incarnation) Cursor(cursor string) string { return i.cursorPrefix() + cursor }

// cursorPrefix is how cursors of a restored log begin. Without it they are base64, which has no point.
func (i Incarnation) cursorPrefix() string {
	if i == "" {
		return ""
	}
	return string(i) + "."
}

// ParseCursor reads a cursor that a client sends back. One of another log is an *OtherLogError.
func (i Incarnation) ParseCursor(text string) (string, error) {
	has, rest := Incarnation(""), text
	if name, after, found := strings.Cut(text, "."); found && incarnationPattern.MatchString(name) {
		has, rest = Incarnation(name), after
	}
	if has != i && rest != "" {
		return "", &OtherLogError{has, i}
	}
	return rest, nil
}

// Identity is what the layout topic says of a platform.
type Identity struct {
	// Layouts has all layouts, oldest first.
	Layouts     []Layout
	Env         string
	Incarnation Incarnation
}

// Identity reads what the platform is; ErrNoLayout: there is none.
func (c *Client) Identity(ctx context.Context) (Identity, error) {
	exists, err := c.partitionCount(ctx, TopicLayout)
	if err != nil {
		return Identity{}, err
	}
	if exists == 0 {
		return Identity{}, ErrNoLayout
	}
	id, err := c.readIdentity(ctx)
	if err == nil && len(id.Layouts) == 0 {
		err = ErrNoLayout
	}
	return id, err
}
