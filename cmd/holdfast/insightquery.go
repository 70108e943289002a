package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/client"
)

// answerFormat is the format of an answer of an insight. It implements pflag.Value.
type answerFormat string

// mediaTypes are what the API is asked for, by format. Of these, CSV alone has all rows.
var mediaTypes = map[answerFormat]string{
	"table": "application/x-ndjson", "json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv",
}

// String implements pflag.Value.
func (f *answerFormat) String() string { return string(*f) }

// Type implements pflag.Value.
func (f *answerFormat) Type() string { return "string" }

// Set implements pflag.Value.
func (f *answerFormat) Set(s string) error {
	if mediaTypes[answerFormat(s)] == "" {
		return errors.New("it is none of table, json, ndjson and csv")
	}
	*f = answerFormat(s)
	return nil
}

func newInsightQueryCommand() *cobra.Command {
	var address apiAddress
	var after, by, measures string
	var where []string
	format := answerFormat("table")
	q := client.Question{}
	c := &cobra.Command{
		Use:   "query NAME",
		Short: "Ask an insight that is kept",
		Long: `Ask an insight for some of its keys and measures. Without --by and --measures
the answer has all. 'holdfast insight show NAME' lists both. As csv it has all
rows, and an error says where it broke off; --limit is for the other formats.`,
		Example: "  holdfast insight query revenue --by month --where country=France",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q.By, q.Measures = listFlag(cmd, "by", by), listFlag(cmd, "measures", measures)
			var err error
			if q.Where, err = parseWhere(where); err != nil {
				return err
			}
			var options []client.CallOption
			if after != "" {
				options = append(options, client.After(after))
			}
			if format == "csv" {
				if _, err := address.client().AskCSV(cmd.Context(), args[0], q, cmd.OutOrStdout(), options...); err != nil {
					return explainRefusal(cmd, err)
				}
				return nil
			}
			answer, err := address.client().AskAs(cmd.Context(), mediaTypes[format], args[0], q, options...)
			if err != nil {
				return explainRefusal(cmd, err)
			}
			if err := writeAnswer(cmd.OutOrStdout(), format, answer.Value.Body); err != nil {
				return err
			}
			if answer.Value.NextCursor != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "There are more rows: --limit NUMBER, or --cursor %s\n", answer.Value.NextCursor)
			}
			return nil
		},
	}
	address.add(c)
	flags := c.Flags()
	flags.StringVar(&by, "by", "", "`KEYS` of the answer with commas between them; empty: totals")
	flags.StringVar(&measures, "measures", "", "`MEASURES` of the answer with commas between them")
	flags.StringArrayVar(&where, "where", nil, "`KEY=VALUE` that rows must have; may be given several times")
	flags.StringVar(&q.From, "from", "", "first `DAY` or time, such as 2011-03-01")
	flags.StringVar(&q.To, "to", "", "`DAY` or time before which all is")
	flags.StringVar(&q.Zone, "tz", "", "time `ZONE` of days and months, such as Europe/London")
	flags.StringVar(&q.Order, "order", "", "`COLUMN` to sort by, with - before it for descending order")
	flags.IntVar(&q.Limit, "limit", 0, "at most `NUMBER` rows, up to 5,000 (100 by default)")
	flags.StringVar(&q.Cursor, "cursor", "", "go on at a `CURSOR` that the same question printed")
	flags.StringVar(&q.Version, "version", "", "`FINGERPRINT`, or the ID of a replay, instead of the live version")
	flags.StringVar(&after, "after", "", "first wait until the insight has reached this `POSITION`")
	flags.VarP(&format, "output", "o", "`FORMAT`: table, json, ndjson or csv")
	completeFlag(c, "output", "table", "json", "ndjson", "csv")
	return c
}

// listFlag is the list of a flag; nil: the flag is not given.
func listFlag(c *cobra.Command, flag, value string) []string {
	switch {
	case !c.Flags().Changed(flag):
		return nil
	case value == "":
		return []string{}
	}
	return strings.Split(value, ",")
}

func parseWhere(conditions []string) (map[string][]string, error) {
	where := map[string][]string{}
	for _, condition := range conditions {
		key, value, ok := strings.Cut(condition, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--where %q is no KEY=VALUE, such as country=France", condition)
		}
		where[key] = append(where[key], value)
	}
	return where, nil
}

// writeAnswer writes an answer as it came, or lines of JSON as a table.
func writeAnswer(w io.Writer, format answerFormat, body []byte) error {
	switch format {
	case "json":
		return writeJSON(w, json.RawMessage(body))
	case "table":
		return writeRows(w, body)
	}
	_, err := w.Write(body)
	return err
}

// writeRows writes lines of JSON as a table, with the columns in the order of the members.
func writeRows(w io.Writer, lines []byte) error {
	if len(lines) == 0 {
		fmt.Fprintln(w, "There are no rows.")
		return nil
	}
	table := newTable(w)
	for line := range bytes.Lines(lines) {
		names, values, err := membersOf(line)
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		if table.lines.Len() == 0 {
			fmt.Fprintln(table, strings.ToUpper(strings.Join(names, "\t")))
		}
		fmt.Fprintln(table, strings.Join(values, "\t"))
	}
	return table.Flush()
}

// membersOf are the members of a JSON object, which are texts, numbers or null, in their order.
func membersOf(object []byte) (names, values []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	if _, err := decoder.Token(); err != nil { // the brace
		return nil, nil, err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, err
		}
		value, err := decoder.Token()
		if err != nil {
			return nil, nil, err
		}
		if value == nil {
			value = ""
		}
		names, values = append(names, fmt.Sprint(name)), append(values, fmt.Sprint(value))
	}
	return names, values, nil
}

func newInsightListCommand() *cobra.Command {
	api := &apiFlags{}
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the insights that are kept",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answer, err := api.client().Insights(cmd.Context())
			if err != nil {
				return explainRefusal(cmd, err)
			}
			return api.print(cmd.OutOrStdout(), answer.Value, func(w io.Writer) error {
				table := newTable(w)
				fmt.Fprintln(table, "NAME\tSOURCE\tLIVE\tSTAGED\tDESCRIPTION")
				for _, item := range answer.Value.Items {
					fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n",
						item.Name, item.Source, orDash(item.Live.Fingerprint), len(item.Staged), item.Description)
				}
				return table.Flush()
			})
		},
	}
	api.add(c)
	return c
}

func newInsightShowCommand() *cobra.Command {
	api := &apiFlags{}
	c := &cobra.Command{
		Use:   "show NAME",
		Short: "Show an insight's keys, measures and versions",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := api.client().Insights(cmd.Context())
			if err != nil {
				return explainRefusal(cmd, err)
			}
			for _, item := range answer.Value.Items {
				if item.Name == args[0] {
					return api.print(cmd.OutOrStdout(), item, func(w io.Writer) error {
						fmt.Fprintf(w, "%s: %s\nsource %s, zone %s\nkeys %s\n",
							item.Name, item.Description, item.Source, item.Zone, strings.Join(item.Keys, ", "))
						for _, rollup := range item.Rollups {
							fmt.Fprintf(w, "kept together: %s\n", strings.Join(rollup, ", "))
						}
						table := newTable(w)
						fmt.Fprintln(table, "MEASURE\tUNIT")
						for _, m := range item.Measures {
							fmt.Fprintf(table, "%s\t%s\n", m.Name, m.Unit)
						}
						versions := item.Staged
						if item.Live.Fingerprint != "" {
							versions = append([]client.InsightProvenance{item.Live}, versions...)
						}
						fmt.Fprintln(table, "\nVERSION\tSTATE\tREPLAY\tPOSITION")
						for _, v := range versions {
							fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", v.Fingerprint, v.State, orDash(v.ReplayID), orDash(v.Position))
						}
						return table.Flush()
					})
				}
			}
			return fmt.Errorf("there is no insight %s: `holdfast insight ls` lists them", args[0])
		},
	}
	api.add(c)
	return c
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
