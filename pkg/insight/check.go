package insight

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/holdfast/holdfast/pkg/clickhouse"
)

// scope is what an expression may name.
type scope struct {
	// names are columns; what says of what, for messages.
	names []string
	what  string
	// aggregates is true for measures, whose columns stand within aggregate functions.
	aggregates bool
}

// astNode is a line of ClickHouse's EXPLAIN AST: a node with its depth.
type astNode struct {
	depth      int
	kind, name string
	aliased    bool
}

var astLine = regexp.MustCompile(`^( *)([A-Za-z]+)(?: (.*?))?((?: \(alias [^)]*\))?)(?: \(children (\d+)\))?$`)

// parseSQL lets ClickHouse parse an expression. The error is for the author of the definition.
func parseSQL(ctx context.Context, conn *clickhouse.Conn, e Expression) (nodes []astNode, err error) {
	err = conn.Each(ctx, "EXPLAIN AST SELECT "+e.SQL, nil, nil, func(rows clickhouse.Rows) error {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if m := astLine.FindStringSubmatch(line); m != nil {
			nodes = append(nodes, astNode{depth: len(m[1]), kind: m[2], name: m[3], aliased: m[4] != ""})
		}
		return nil
	})
	return nodes, err
}

// The nodes that surround an expression: a SELECT of nothing else.
var astHead = []string{"SelectWithUnionQuery", "ExpressionList", "SelectQuery", "ExpressionList"}

// check checks the SQL of an expression: that it is one expression, of functions of the list and names of the scope.
func (d *Definition) check(ctx context.Context, conn *clickhouse.Conn, e Expression, in scope) error {
	nodes, err := parseSQL(ctx, conn, e)
	if err != nil {
		return d.sqlProblem(e, err)
	}
	problem := func(format string, args ...any) error { return d.problem(e, fmt.Sprintf(format, args...)) }
	for depth, kind := range astHead {
		if len(nodes) <= depth || nodes[depth].kind != kind || nodes[depth].depth != depth {
			return problem("this is no expression")
		}
	}
	body := nodes[len(astHead):]
	for i, n := range body {
		if n.depth < len(astHead) || n.depth == len(astHead) && i > 0 {
			return problem("write one expression: no comma outside of brackets, and nothing of FROM, WHERE or the like")
		}
		if n.aliased {
			return problem("AS is not allowed: the name of a key or a measure is that of its member")
		}
	}
	for i := range body {
		if err := d.checkNode(e, body, i, in); err != nil {
			return err
		}
	}
	return nil
}

// checkNode checks one node of an expression.
func (d *Definition) checkNode(e Expression, nodes []astNode, i int, in scope) error {
	n := nodes[i]
	problem := func(format string, args ...any) error { return d.problem(e, fmt.Sprintf(format, args...)) }
	switch n.kind {
	case "ExpressionList", "Literal":
		return nil
	case "Function":
		switch {
		case isAggregate(n.name) && !in.aggregates:
			return problem("%s is an aggregate function: those belong in measures", n.name)
		case isAggregate(n.name) || scalarFunctions[n.name]:
			return nil
		case whyNot[n.name] != "":
			return problem("%s is not allowed: %s", n.name, whyNot[n.name])
		}
		return problem("%s is not allowed: docs/insights.md lists the functions that are", n.name)
	case "Identifier":
		if slices.Contains(in.names, n.name) || isLambdaArgument(nodes, n.name) {
			return nil
		}
		return problem("there is no column %s: %s has %s", n.name, in.what, strings.Join(in.names, ", "))
	case "Asterisk":
		if i >= 2 && nodes[i-2].kind == "Function" && nodes[i-2].name == "count" {
			return nil
		}
		return problem("* is not allowed: name the columns")
	case "Subquery", "SelectWithUnionQuery", "TableIdentifier":
		return problem("a query within the expression is not allowed: an insight is about its source alone")
	case "WindowDefinition":
		return problem("window functions (OVER) are not allowed: use an entity with a first stage")
	}
	return problem("%s is not allowed", n.kind)
}

// isLambdaArgument reports whether a name is an argument of a function like x -> x + 1 somewhere in the expression.
func isLambdaArgument(nodes []astNode, name string) bool {
	for i, n := range nodes {
		// The nodes are: Function lambda, ExpressionList, Function tuple, ExpressionList, and the arguments.
		if n.kind != "Function" || n.name != "lambda" || i+4 >= len(nodes) {
			continue
		}
		depth := n.depth + 4
		for _, argument := range nodes[i+4:] {
			if argument.depth != depth || argument.kind != "Identifier" {
				break
			}
			if argument.name == name {
				return true
			}
		}
	}
	return false
}

func (d *Definition) problem(e Expression, message string) error {
	return &Problem{File: d.File, Line: e.Line, Field: e.Field, Message: message}
}

// exceptionText is what ClickHouse says within its exceptions, without its code and its repetition of the query.
var exceptionText = regexp.MustCompile(
	`(?s)^.*?\(code \d+: (.*?)(?: In scope .*| in scope .*|\. In query .*|\. \([A-Z_]+\)\).*|)$`)

// sqlProblem puts an exception of ClickHouse in the terms of the definition. Other errors are returned as they are.
func (d *Definition) sqlProblem(e Expression, err error) error {
	var refused *clickhouse.Error
	if !errors.As(err, &refused) || refused.Code == 0 || clickhouse.IsMissing(err) || clickhouse.IsTooMuch(err) {
		return err // a definition names no table, so that a missing one is no fault of it
	}
	text := err.Error()
	if m := exceptionText.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	return d.problem(e, "ClickHouse: "+text)
}
