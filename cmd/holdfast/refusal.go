package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// explainRefusal words a refusal of the API for the command line: what is short, line by line, and the faults of a
// request by the flags and arguments that they come from.
//
//	order place: Not enough stock (insufficient_stock)
//	  A1: 2 wanted, 1 available (insufficient_stock)
//	  order 27
//
//	order place: The request is not valid (validation_failed)
//	  --line 2: quantity must be at least 1
func explainRefusal(c *cobra.Command, err error) error {
	name := strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
	problem, ok := errors.AsType[*client.Problem](err)
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	reason := problem.Code
	if problem.Title != "" {
		reason = fmt.Sprintf("%s (%s)", problem.Title, problem.Code)
	}
	var text strings.Builder
	text.WriteString(name + ": " + reason)
	switch {
	case len(problem.Short) > 0:
		for _, s := range problem.Short {
			fmt.Fprintf(&text, "\n  %s: %d wanted, %d available (%s)", s.SKU, s.Requested, s.Available, s.Reason)
		}
	case len(problem.Errors) > 0:
		for _, fault := range problem.Errors {
			fmt.Fprintf(&text, "\n  %s", strings.TrimSpace(inputName(c, fault)+" "+fault.Detail))
		}
	case problem.Detail != "":
		text.WriteString("\n  " + problem.Detail)
	}
	if problem.Number != 0 {
		fmt.Fprintf(&text, "\n  order %d", problem.Number)
	}
	return &refusal{text.String(), err}
}

// refusal is a problem with its text for the command line.
type refusal struct {
	text string
	err  error
}

// Error implements error.
func (r *refusal) Error() string { return r.text }

// Unwrap returns the problem.
func (r *refusal) Unwrap() error { return r.err }

// flagNames are flags whose names differ from those of the members that they set.
var flagNames = map[string]string{
	"customer_id":        "customer",
	"lines":              "line",
	"charges":            "charge",
	"discounts":          "discount",
	"payment_terms":      "terms",
	"tracking_reference": "tracking",
	"from_location":      "from",
	"to_location":        "to",
	"policy":             "allocation",
	"locations":          "from-location",
	"Idempotency-Key":    "key",
	"If-Match":           "if-version",
}

// inputName is the flag or the argument that a fault is of, as "--line 2: quantity". It is the member's own pointer
// where the command has neither, or took a file.
func inputName(c *cobra.Command, fault client.ProblemField) string {
	if c.Flags().Changed("file") {
		return fault.Pointer
	}
	members := strings.Split(strings.TrimPrefix(fault.Pointer, "/"), "/")
	if members[0] == "allocation" && len(members) > 1 {
		members = members[1:]
	}
	name, ok := flagNames[members[0]]
	if !ok {
		name = strings.ReplaceAll(members[0], "_", "-")
	}
	argument := strings.ToUpper(members[0])
	switch {
	case c.Flags().Lookup(name) != nil:
		name = "--" + name
	case strings.Contains(c.Use+" ", " "+argument+" "):
		name = argument
	default:
		return fault.Pointer
	}
	if len(members) == 1 {
		return name
	}
	if i, err := strconv.Atoi(members[1]); err == nil && name != "--metadata" {
		name += " " + strconv.Itoa(i+1)
		members = members[1:]
	}
	if len(members) == 1 {
		return name
	}
	return name + ": " + strings.Join(members[1:], " ")
}
