package insight

import (
	"fmt"
	"strings"
)

// aggregate is a call of an aggregate function in a measure, such as sumIf(quantity, quantity > 0).
type aggregate struct {
	function   string
	parameters string // such as (0.5); empty where there are none
	arguments  string // with their brackets
}

// state is the call that keeps what the function has seen, so that parts can be put together later.
func (a aggregate) state() string { return a.function + "State" + a.parameters + a.arguments }

// merge puts the states of a column together.
func (a aggregate) merge(column string) string {
	return a.function + "Merge" + a.parameters + "(" + column + ")"
}

// split takes the aggregates out of an expression. column is called for each, and returns what stands in its place.
func split(sql string, column func(aggregate) string) (string, error) {
	tokens, err := lex(sql)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	copied := 0 // up to where sql is in out
	for i := 0; i < len(tokens); i++ {
		if tokens[i].kind != tokenWord || !isAggregate(tokens[i].text) || !opens(tokens, i+1) {
			continue
		}
		end, err := closing(tokens, i+1)
		if err != nil {
			return "", err
		}
		call := aggregate{function: tokens[i].text, arguments: textBetween(sql, tokens, i+1, end)}
		if opens(tokens, end+1) {
			call.parameters = call.arguments
			first := end + 1
			if end, err = closing(tokens, first); err != nil {
				return "", err
			}
			call.arguments = textBetween(sql, tokens, first, end)
		}
		out.WriteString(sql[copied:tokens[i].at])
		out.WriteString(column(call))
		i, copied = end, tokens[end].at+1
	}
	out.WriteString(sql[copied:])
	return out.String(), nil
}

func opens(tokens []token, i int) bool { return i < len(tokens) && tokens[i].text == "(" }

// closing finds the bracket that closes the one at i.
func closing(tokens []token, i int) (int, error) {
	depth := 0
	for n := i; n < len(tokens); n++ {
		switch {
		case tokens[n].kind == tokenSign && tokens[n].text == "(":
			depth++
		case tokens[n].kind == tokenSign && tokens[n].text == ")":
			if depth--; depth == 0 {
				return n, nil
			}
		}
	}
	return 0, fmt.Errorf("a bracket is not closed")
}

// textBetween is the SQL from one token to another, without comments at its end.
func textBetween(sql string, tokens []token, from, to int) string {
	return sql[tokens[from].at : tokens[to].at+len(tokens[to].text)]
}
