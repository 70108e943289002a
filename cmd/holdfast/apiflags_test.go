package main

import "testing"

// What is no moment, and a clock without one, is refused before anything is asked for.
func TestMomentsAreCheckedBeforeTheyAreAskedFor(t *testing.T) {
	for _, command := range [][]string{
		{"stock", "get", "A1"}, {"stock", "show", "A1"}, {"stock", "list"}, {"stock", "why", "A1"}, {"order", "get", "o-1"},
	} {
		for want, flags := range map[string][]string{
			"--as-of is empty":                      {"--as-of", ""},
			"--clock occurred needs --as-of":        {"--clock", "occurred"},
			"--clock must be recorded or occurred,": {"--as-of", "i0.5", "--clock", "wall"},
		} {
			holdfastFails(t, want, append(command, flags...)...)
		}
	}
	holdfastFails(t, "--below must be a whole number from 1", "stock", "list", "--below", "0")
	holdfastFails(t, "--to is empty", "stock", "diff", "--from", "i0.5", "--to", "")
}
