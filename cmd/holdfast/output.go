package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/holdfast/holdfast/cmd/holdfast/internal/retail"
)

// output is the format of an answer. It implements pflag.Value, so that a wrong value is refused before a command is
// sent.
type output string

// The formats.
const (
	outputTable output = "table"
	outputJSON  output = "json"
)

// String implements pflag.Value.
func (o *output) String() string { return string(*o) }

// Type implements pflag.Value.
func (o *output) Type() string { return "string" }

// Set implements pflag.Value.
func (o *output) Set(s string) error {
	if s != string(outputTable) && s != string(outputJSON) {
		return fmt.Errorf("it is neither %s nor %s", outputTable, outputJSON)
	}
	*o = output(s)
	return nil
}

// flag adds -o to flags.
func (o *output) flag(flags *pflag.FlagSet) {
	*o = outputTable
	flags.VarP(o, "output", "o", "`FORMAT`: table or json")
}

// writeJSON writes a value as indented JSON.
func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// formatTime is a time as tables show it.
func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// enumerate lists words: with "or", a, b and c are "a, b or c".
func enumerate(words []string, conjunction string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}

// count is a number with commas between its thousands.
func count(n int64) string { return retail.FormatCount(n) }
