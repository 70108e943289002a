package engine

import "strings"

// insertText is an INSERT … FORMAT in its three portions. For "INSERT INTO t FORMAT CSV 1,2" these are "INSERT INTO t
// ", "CSV" and "1,2".
type insertText struct {
	sql, format, data string
}

// splitInsert splits an INSERT … FORMAT. For every other statement, also INSERT … VALUES and INSERT … SELECT, ok is
// false: the engine parses these itself.
func splitInsert(text string) (in insertText, ok bool) {
	s := scanner{text: text}
	if !s.next() || !s.is("INSERT") || !s.next() || !s.is("INTO") {
		return insertText{}, false
	}
	named := false // the table's name is complete, so the next words are clauses
	for s.next() {
		switch {
		case !named:
			if !s.is("TABLE") && !s.is("FUNCTION") {
				named = true
			}
		case s.is("."):
			named = false
		case s.is("VALUES"), s.is("SELECT"), s.is("WITH"), s.is("FROM"):
			return insertText{}, false
		case s.is("FORMAT"):
			sql := text[:s.start]
			if !s.next() {
				return insertText{}, false
			}
			return insertText{sql: sql, format: s.token(), data: afterFormat(text[s.end:])}, true
		}
	}
	return insertText{}, false
}

// afterFormat removes what separates the data from the format's name: spaces, a semicolon, one line break.
func afterFormat(data string) string {
	data = strings.TrimLeft(data, " \t")
	data = strings.TrimLeft(strings.TrimPrefix(data, ";"), " \t")
	return strings.TrimPrefix(strings.TrimPrefix(data, "\r"), "\n")
}

// mentionsFormat reports whether the statement has a FORMAT clause for its result.
func mentionsFormat(sql string) bool {
	s := scanner{text: sql}
	for s.next() {
		if s.is("FORMAT") {
			return true
		}
	}
	return false
}

// scanner returns the tokens of a statement that are outside of parentheses and comments. A string or a quoted name is
// one token.
type scanner struct {
	text       string
	start, end int // the current token
	depth      int // of parentheses
}

func (s *scanner) token() string { return s.text[s.start:s.end] }

func (s *scanner) is(word string) bool { return strings.EqualFold(s.token(), word) }

// next goes to the next token outside of parentheses. It returns false at the end.
func (s *scanner) next() bool {
	for s.nextAny() {
		switch c := s.text[s.start]; {
		case c == '(':
			s.depth++
		case c == ')':
			s.depth--
		case s.depth == 0:
			return true
		}
	}
	return false
}

// nextAny goes to the next token, also inside of parentheses.
func (s *scanner) nextAny() bool {
	for {
		remaining := strings.TrimLeft(s.text[s.end:], " \t\r\n\f\v")
		s.start = len(s.text) - len(remaining)
		switch {
		case remaining == "":
			s.end = s.start
			return false
		case strings.HasPrefix(remaining, "--"), strings.HasPrefix(remaining, "#"):
			s.end = s.endOf(s.start, "\n")
		case strings.HasPrefix(remaining, "/*"):
			s.end = s.endOf(s.start+2, "*/")
		case strings.ContainsRune("'\"`", rune(remaining[0])):
			s.end = s.endOfQuoted(s.start)
			return true
		default:
			s.end = s.start + 1
			for isWord(s.text[s.start]) && s.end < len(s.text) && isWord(s.text[s.end]) {
				s.end++
			}
			return true
		}
	}
}

// endOf is the place behind the next delimiter, or the end of the text.
func (s *scanner) endOf(from int, delimiter string) int {
	if i := strings.Index(s.text[from:], delimiter); i >= 0 {
		return from + i + len(delimiter)
	}
	return len(s.text)
}

// endOfQuoted is the place behind the string or quoted name that begins at from. A doubled quote inside counts as the
// end of one token and the beginning of another, which makes no difference here.
func (s *scanner) endOfQuoted(from int) int {
	for i := from + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case s.text[from]:
			return i + 1
		}
	}
	return len(s.text)
}

func isWord(c byte) bool {
	return c == '_' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
