package service

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v3"
)

// SettingsError has everything that is wrong with the settings of a process, so that an operator mends it at once.
type SettingsError struct{ Problems []error }

// Error implements error.
func (e *SettingsError) Error() string {
	if len(e.Problems) == 1 {
		return "settings: " + e.Problems[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "settings: %d problems", len(e.Problems))
	for _, problem := range e.Problems {
		b.WriteString("\n  - " + strings.ReplaceAll(problem.Error(), "\n", "\n    "))
	}
	return b.String()
}

// Unwrap returns the problems.
func (e *SettingsError) Unwrap() []error { return e.Problems }

// JoinSettings is one error for several, which may have several themselves; nil: there is none.
func JoinSettings(errs ...error) error {
	var problems []error
	for _, err := range errs {
		problems = append(problems, apart(err)...)
	}
	if len(problems) == 0 {
		return nil
	}
	return &SettingsError{problems}
}

// apart takes joined errors apart. An error that says more than those that it joins stays one.
func apart(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	_, ours := err.(*SettingsError) //nolint:errorlint // err itself, not what it wraps
	if !ok || !ours && errors.Join(joined.Unwrap()...).Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, apart(e)...)
	}
	return all
}

// Parse reads the settings. Flags win over the environment, that wins over the file, and that over the defaults. --help
// prints a text, and then all of them. The error has all that is wrong.
func Parse(fs *flag.FlagSet, help string, args []string) error {
	out, list := fs.Output(), help+usage(fs)
	var problems []error
	args, asked := known(fs, args, &problems)
	if asked {
		fmt.Fprint(out, list)
		return flag.ErrHelp
	}
	fs.VisitAll(func(f *flag.Flag) { f.Value = &collecting{f.Value, f.Name, &problems} })
	err := ff.Parse(fs, args,
		ff.WithEnvVarPrefix(EnvPrefix),
		ff.WithConfigFileFlag("config"),
		ff.WithConfigFileParser(func(r io.Reader, set func(name, value string) error) error {
			return ff.PlainParser(r, func(name, value string) error {
				if err := set(name, value); err != nil {
					problems = append(problems, fmt.Errorf("--config: %w", err))
				}
				return nil
			})
		}),
	)
	if err != nil {
		problems = append(problems, fmt.Errorf("--config: %w", err)) // the file cannot be read; all else was collected
	}
	return JoinSettings(problems...)
}

// known returns the arguments without settings that there are not, and without one that lacks its value: those become
// problems, where the flag package would stop at the first. help: the list is asked for.
func known(fs *flag.FlagSet, args []string, problems *[]error) (kept []string, help bool) {
	for len(args) > 0 {
		arg := args[0]
		if len(arg) < 2 || arg[0] != '-' || arg == "--" {
			break // the flag package ends there, too
		}
		name, _, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		f := fs.Lookup(name)
		length := 1 // of this setting, with its value
		if f == nil && !hasValue && len(args) > 1 && !strings.HasPrefix(args[1], "-") {
			length = 2
		} else if f != nil && !hasValue && !isSwitch(f.Value) {
			length = 2
		}
		switch {
		case f == nil && (name == "help" || name == "h"):
			return kept, true
		case f == nil:
			*problems = append(*problems, fmt.Errorf("--%s is no setting of %s; --help lists them", name, fs.Name()))
		case length > len(args):
			*problems = append(*problems, fmt.Errorf("--%s lacks its value", name))
		default:
			kept = append(kept, args[:length]...)
		}
		args = args[min(length, len(args)):]
	}
	return append(kept, args...), false
}

// isSwitch reports whether a setting stands without a value.
func isSwitch(v flag.Value) bool {
	b, ok := v.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// collecting is a setting whose bad values are collected: the flag package would stop at the first.
type collecting struct {
	flag.Value
	name     string
	problems *[]error
}

// Set implements flag.Value.
func (c *collecting) Set(text string) error {
	if err := c.Value.Set(text); err != nil {
		shown := fmt.Sprintf(" %q", text)
		if strings.Contains(err.Error(), strconv.Quote(text)) {
			shown = ""
		}
		*c.problems = append(*c.problems, fmt.Errorf("--%s (%s)%s: %w", c.name, Variable(c.name), shown, c.plain(err)))
	}
	return nil
}

// plain says of a value that the flag package cannot read what it should be.
func (c *collecting) plain(err error) error {
	getter, ok := c.Value.(flag.Getter)
	if !ok {
		return err
	}
	switch getter.Get().(type) {
	case bool:
		return errors.New("it is neither true nor false")
	case time.Duration:
		return errors.New("it is no duration, such as 500ms, 2s or 24h")
	case int, int64, uint, uint64:
		return errors.New("it is no whole number")
	}
	return err
}

// IsBoolFlag lets a switch stand without a value.
func (c *collecting) IsBoolFlag() bool { return isSwitch(c.Value) }

// DurationVar adds a duration that is at least as long as least.
func DurationVar(fs *flag.FlagSet, value *time.Duration, name string, byDefault, least time.Duration, usage string) {
	*value = byDefault
	fs.Var(&duration{value, least}, name, "`DURATION`: "+usage)
}

type duration struct {
	value *time.Duration
	least time.Duration
}

// Set implements flag.Value.
func (d *duration) Set(text string) error {
	v, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return errors.New("it is no duration, such as 500ms, 2s or 24h")
	case v < 0:
		return errors.New("it is negative")
	case v < d.least:
		return fmt.Errorf("it is shorter than %s", d.least)
	}
	*d.value = v
	return nil
}

// String implements flag.Value.
func (d *duration) String() string {
	if d.value == nil {
		return ""
	}
	return d.value.String()
}
