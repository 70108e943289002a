package engine

import "strings"

// An INSERT with data: the statement before the data, the data's format, and the data that came with it.
type insertText struct {
	sql, format, data string
}

// splitInsert finds where the data of an INSERT … FORMAT begins. Everything else, INSERT … VALUES and
// INSERT … SELECT too, is for the engine to read, and ok is false.
func splitInsert(text string) (in insertText, ok bool) {
	s := scanner{text: text}
	if !s.next() || !s.is("INSERT") || !s.next() || !s.is("INTO") {
		return insertText{}, false
	}
	named := false // the table has been named, so that words are clauses
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

// afterFormat drops what separates the data from the name of its format: spaces, a semicolon, one line break.
func afterFormat(data string) string {
	data = strings.TrimLeft(data, " \t")
	data = strings.TrimLeft(strings.TrimPrefix(data, ";"), " \t")
	return strings.TrimPrefix(strings.TrimPrefix(data, "\r"), "\n")
}

// mentionsFormat reports whether a statement may say by itself how its result is formatted.
func mentionsFormat(sql string) bool {
	s := scanner{text: sql}
	for s.next() {
		if s.is("FORMAT") {
			return true
		}
	}
	return false
}

// scanner goes through the words and signs of a statement outside of parentheses, comments and strings. A
// quoted name is a token like another.
type scanner struct {
	text       string
	start, end int
	depth      int
}

func (s *scanner) token() string { return s.text[s.start:s.end] }

func (s *scanner) is(word string) bool { return strings.EqualFold(s.token(), word) }

// next steps to the next token; false at the end.
func (s *scanner) next() bool {
	for s.step() {
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

func (s *scanner) step() bool {
	for {
		rest := strings.TrimLeft(s.text[s.end:], " \t\r\n\f\v")
		s.start = len(s.text) - len(rest)
		switch {
		case rest == "":
			s.end = s.start
			return false
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#"):
			s.end = s.until(s.start, "\n")
		case strings.HasPrefix(rest, "/*"):
			s.end = s.until(s.start+2, "*/")
		case strings.ContainsRune("'\"`", rune(rest[0])):
			s.end = s.quoted(s.start)
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

func (s *scanner) until(from int, mark string) int {
	if i := strings.Index(s.text[from:], mark); i >= 0 {
		return from + i + len(mark)
	}
	return len(s.text)
}

// quoted finds the end of a string or a quoted name; a doubled quote begins the next one, which is as good.
func (s *scanner) quoted(from int) int {
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
