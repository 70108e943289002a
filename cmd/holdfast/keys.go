package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/access"
)

// keysTimeout bounds how long the topic of the keys may take to be read, or a change to be written.
const keysTimeout = 30 * time.Second

func newKeysCommand() *cobra.Command {
	var log logFlags
	root := &cobra.Command{
		Use:   "keys",
		Short: "Make, list and revoke API keys",
		Long: `Make, list and revoke the API keys that services ask for with --access keys.
The commands read and write the topic of the keys, so they need Kafka and no
key: that is how the first key is made. With a key that has keys:admin the
API does the same at /v1/keys.`,
	}
	log.add(root)
	root.AddCommand(newKeysCreate(&log), newKeysList(&log), newKeysRevoke(&log))
	return root
}

// shownKey is a key as the command line shows it.
type shownKey struct {
	ID        string        `json:"key_id"`
	Name      string        `json:"name"`
	Scopes    []string      `json:"scopes"`
	Status    access.Status `json:"status"`
	CreatedAt time.Time     `json:"created_at"`
	CreatedBy string        `json:"created_by,omitempty"`
	ExpiresAt *time.Time    `json:"expires_at,omitempty"`
	RevokedAt *time.Time    `json:"revoked_at,omitempty"`
	RevokedBy string        `json:"revoked_by,omitempty"`
	Key       string        `json:"key,omitempty"`
}

func showKey(key *access.Key) shownKey {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return shownKey{
		ID: key.ID, Name: key.Name, Scopes: key.Scopes.Names(), Status: key.Status(time.Now()),
		CreatedAt: key.CreatedAt, CreatedBy: key.CreatedBy.Name, ExpiresAt: at(key.ExpiresAt),
		RevokedAt: at(key.RevokedAt), RevokedBy: key.RevokedBy.Name,
	}
}

func newKeysCreate(log *logFlags) *cobra.Command {
	var name, expires string
	var scopes []string
	var out output
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an API key, and print it once",
		Long: `Make an API key, and print it. Nobody can print it again: only its hash is
kept. Every service takes it within a second.`,
		Example: "  holdfast keys create --name shop --scopes orders:read,stock:read --expires 90d",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			n := access.NewKey{Name: name, By: access.Principal{Name: whoami()}}
			var err error
			if n.Scopes, err = access.ParseScopes(scopes); err != nil {
				return fmt.Errorf("--scopes: %w", err)
			}
			if c.Flags().Changed("expires") {
				if n.ExpiresAt, err = parseExpiry(expires, time.Now()); err != nil {
					return err
				}
			}
			if fault, ok := errors.AsType[*access.Fault](n.Check(time.Now())); ok {
				return fmt.Errorf("--%s %s", strings.TrimSuffix(fault.Member, "_at"), fault.Text)
			}
			return withKeys(c, log, func(ctx context.Context, keys *access.Keys) error {
				text, key, err := keys.Create(ctx, n)
				if err != nil {
					return err
				}
				if out == outputJSON {
					shown := showKey(key)
					shown.Key = text
					return writeJSON(c.OutOrStdout(), shown)
				}
				fmt.Fprintln(c.OutOrStdout(), text)
				fmt.Fprintf(c.ErrOrStderr(), "Keep it: it cannot be printed again. Its ID is %s.\n", key.ID)
				return nil
			})
		},
	}
	flags := c.Flags()
	flags.StringVar(&name, "name", "", "`NAME` for people, and the principal of what is done with the key")
	flags.StringSliceVar(&scopes, "scopes", nil, "`SCOPES` with commas between them: "+
		strings.Join(access.ScopeNames(), ", "))
	flags.StringVar(&expires, "expires", "", "`HOW` long the key is taken, such as 90d or 12h (default: for ever)")
	out.flag(flags)
	completeFlag(c, "scopes", access.ScopeNames()...)
	completeFlag(c, "output", string(outputTable), string(outputJSON))
	return c
}

// days is a duration in days, which the flag package does not know.
var days = regexp.MustCompile(`^([1-9][0-9]{0,4})d$`)

// parseExpiry reads --expires into a time.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if found := days.FindStringSubmatch(text); found != nil {
		n, _ := strconv.Atoi(found[1]) // it has at most five digits
		return now.AddDate(0, 0, n), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--expires %q is no duration, such as 90d or 12h", text)
	}
	return now.Add(d), nil
}

func newKeysList(log *logFlags) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use:   "list",
		Short: "List all API keys, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return withKeys(c, log, func(_ context.Context, keys *access.Keys) error {
				shown := []shownKey{}
				for _, key := range keys.All() {
					shown = append(shown, showKey(key))
				}
				switch {
				case out == outputJSON:
					return writeJSON(c.OutOrStdout(), shown)
				case len(shown) == 0:
					fmt.Fprintln(c.OutOrStdout(), "There are no API keys.")
					return nil
				}
				return printKeys(c, shown)
			})
		},
	}
	out.flag(c.Flags())
	completeFlag(c, "output", string(outputTable), string(outputJSON))
	return c
}

func printKeys(c *cobra.Command, keys []shownKey) error {
	t := newTable(c.OutOrStdout())
	fmt.Fprintln(t, "ID\tNAME\tSTATUS\tSCOPES\tCREATED\tBY\tEXPIRES")
	for _, key := range keys {
		expires := "never"
		if key.ExpiresAt != nil {
			expires = formatTime(*key.ExpiresAt)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, key.Status, strings.Join(key.Scopes, ","),
			formatTime(key.CreatedAt), key.CreatedBy, expires)
	}
	return t.Flush()
}

func newKeysRevoke(log *logFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Revoke an API key, for ever",
		Long: `Revoke an API key by its ID. Every service refuses it within a second, and a
stream of commands under way with it from the next line on. It cannot be
taken back: make another key.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return withKeys(c, log, func(ctx context.Context, keys *access.Keys) error {
				found, err := keys.Revoke(ctx, args[0], access.Principal{Name: whoami()})
				if err != nil {
					return err
				}
				if !found {
					return errors.New("no API key has this ID; holdfast keys list shows the IDs")
				}
				fmt.Fprintf(c.OutOrStdout(), "%s is revoked.\n", args[0])
				return nil
			})
		},
	}
}

// withKeys calls do with the keys of the platform once they are read.
func withKeys(c *cobra.Command, log *logFlags, do func(context.Context, *access.Keys) error) error {
	client, err := log.open(c)
	if err != nil {
		return err
	}
	defer client.Close()
	keys, err := access.Open(client.Config())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context(), keysTimeout)
	following, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	follower.Go(func() { _ = keys.Run(following) }) // AwaitReady says what keeps it from following
	defer func() {
		stop()
		follower.Wait()
		cancel()
	}()
	if err := keys.AwaitReady(ctx); err != nil {
		return fmt.Errorf("the API keys cannot be read; `holdfast topics apply` creates a topic that is missing: %w", err)
	}
	return do(ctx, keys)
}
