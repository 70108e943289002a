package queryapi

import (
	"flag"
	"io"
	"testing"

	"github.com/holdfast/holdfast/cmd/internal/run"
)

// A time zone that there is not stops the start, with what to write instead.
func TestTimeZonesAreChecked(t *testing.T) {
	for zone, want := range map[string]string{
		"": "", "UTC": "", "Europe/London": "",
		"London": `--time-zone must be a time zone of the IANA database, such as Europe/London; "London" is none`,
		"Local":  `--time-zone must be a time zone of the IANA database, such as Europe/London; "Local" is none`,
	} {
		program := Program()
		flags := flag.NewFlagSet("query-api", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		program.Flags(flags)
		var args []string
		if zone != "" {
			args = []string{"--time-zone", zone}
		}
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := program.Validate(run.Service{}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", zone, got, want)
		}
	}
}
