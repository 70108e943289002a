package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpColumns is how wide help is: a terminal of the usual width shows it without breaking lines.
const helpColumns = 80

// usageTemplate is cobra's, but for flags: they are wrapped, and those that say how to reach Kafka come last.
const usageTemplate = `Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if or .IsAvailableCommand (eq .Name "help")}}
  {{rpad .Name .NamePadding}}  {{.Short}}{{end}}{{end}}{{end}}{{flagUsages .}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" says more about a command.{{end}}
`

// setUsage gives a command and all its subcommands help that fits a terminal, and errors of flags that say what to do.
func setUsage(root *cobra.Command) {
	cobra.AddTemplateFunc("flagUsages", flagUsages)
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(explainFlagError)
}

// flagUsages lists the flags of a command in groups: its own, those of its parents, and the connection to Kafka.
func flagUsages(c *cobra.Command) string {
	connection := pflag.NewFlagSet("", pflag.ContinueOnError)
	var groups strings.Builder
	group := func(title string, flags *pflag.FlagSet) {
		own := pflag.NewFlagSet("", pflag.ContinueOnError)
		flags.VisitAll(func(f *pflag.Flag) {
			if isConnectionFlag(f.Name) {
				connection.AddFlag(f)
				return
			}
			own.AddFlag(f)
		})
		writeFlags(&groups, title, own)
	}
	group("Flags", c.LocalFlags())
	group("Flags of all these commands", c.InheritedFlags())
	writeFlags(&groups, "Connection to Kafka", connection)
	return groups.String()
}

func writeFlags(w *strings.Builder, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n\n%s:\n%s", title, strings.TrimRight(flags.FlagUsagesWrapped(helpColumns), "\n"))
	}
}

// isConnectionFlag reports whether a flag says how to reach a broker of Kafka, and with which rights.
func isConnectionFlag(name string) bool {
	return strings.HasPrefix(name, "kafka-") && name != "kafka-listen"
}

// negativeNumber is an argument that pflag takes for a flag.
var negativeNumber = regexp.MustCompile(`unknown shorthand flag: '\d' in (-\d+)`)

// explainFlagError adds to an error of a flag what to do.
func explainFlagError(c *cobra.Command, err error) error {
	if found := negativeNumber.FindStringSubmatch(err.Error()); found != nil {
		return fmt.Errorf("%s looks like a flag. Put flags first, then --, then the arguments: %s -- … %s",
			found[1], c.CommandPath(), found[1])
	}
	return fmt.Errorf("%w\n%s --help lists the flags", err, c.CommandPath())
}
