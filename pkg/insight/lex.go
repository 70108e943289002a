package insight

import (
	"errors"
	"fmt"
	"strings"
)

// token is a word, number, text or sign of SQL.
type token struct {
	kind tokenKind
	text string
	at   int // where it begins
}

type tokenKind int

const (
	tokenWord tokenKind = iota // an identifier, a keyword or a number
	tokenText                  // a literal in quotes, or an identifier in quotes
	tokenSign
)

// lex splits an expression of ClickHouse's SQL into tokens. Comments are left out.
func lex(sql string) (tokens []token, err error) {
	for i := 0; i < len(sql); {
		rest := sql[i:]
		n, kind := 1, tokenSign
		switch c := sql[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case strings.HasPrefix(rest, "--"):
			i += until(rest, "\n")
			continue
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				return nil, errors.New("a comment does not end: close it with */")
			}
			i += end + len("*/")
			continue
		case c == '\'' || c == '"' || c == '`':
			if n = quotedLength(rest); n == 0 {
				return nil, fmt.Errorf("a text does not end: %s is missing", string(c))
			}
			kind = tokenText
		case c == '#':
			return nil, errors.New("# is not allowed: a comment begins with --")
		case c == ';':
			return nil, errors.New("; is not allowed: write one expression")
		case c == '{' || c == '?' || c == '@' || c == '$' || c == '\\':
			return nil, fmt.Errorf("%s is not allowed: a definition has no parameters", string(c))
		case isWord(c):
			kind = tokenWord
			for n < len(rest) && (isWord(rest[n]) || rest[n] == '.') {
				n++
			}
		}
		tokens = append(tokens, token{kind, rest[:n], i})
		i += n
	}
	return tokens, nil
}

// withoutComments is the SQL of tokens with a space wherever there was a space or a comment. In a query, a comment at
// the end of an expression would go on behind it.
func withoutComments(tokens []token) string {
	var b strings.Builder
	end := 0
	for i, t := range tokens {
		if i > 0 && t.at > end {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
		end = t.at + len(t.text)
	}
	return b.String()
}

// quotedLength is the length of the quoted text that s begins with; 0: it does not end. A quote in the text is written
// twice, or behind a backslash.
func quotedLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == s[0] && i+1 < len(s) && s[i+1] == s[0]:
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return 0
}

func until(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i
	}
	return len(s)
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
