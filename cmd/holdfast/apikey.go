package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/holdfast/holdfast/pkg/access"
	"github.com/holdfast/holdfast/pkg/client"
)

// keyFileFlag names the file with the API key. The key itself is never on a command line: other users see those.
const keyFileFlag = "api-key-file"

// keyVariable has the API key, and keyFileVariable the name of its file.
const (
	keyVariable     = "HOLDFAST_API_KEY"
	keyFileVariable = "HOLDFAST_API_KEY_FILE"
)

// apiAddress says where the API is, and with which key it is asked.
type apiAddress struct {
	url string
	key apiKey
}

// add adds the flags to a command.
func (a *apiAddress) add(c *cobra.Command) {
	flags := c.PersistentFlags()
	flags.StringVar(&a.url, "url", environment("HOLDFAST_URL", defaultURL), "`URL` of the API (HOLDFAST_URL)")
	flags.Var(&a.key, keyFileFlag, "`FILE` with the API key ("+keyFileVariable+", or the key in "+keyVariable+")")
}

// client is a client of the API.
func (a *apiAddress) client() *client.Client { return client.New(a.url, client.WithAPIKey(a.key.text)) }

// apiKey is a key that is read from a file. It implements pflag.Value, so that a bad one is refused before anything is
// sent.
type apiKey struct{ text, file string }

// String implements pflag.Value.
func (k *apiKey) String() string { return k.file }

// Type implements pflag.Value.
func (k *apiKey) Type() string { return "string" }

// Set implements pflag.Value.
func (k *apiKey) Set(file string) error {
	text, err := os.ReadFile(file) //nolint:gosec // G703: the user of this process names it
	if err != nil {
		return err
	}
	k.file = file
	return k.take(string(text))
}

func (k *apiKey) take(text string) error {
	text = strings.TrimSpace(text)
	if err := access.CheckText(text); err != nil {
		return err
	}
	k.text = text
	return nil
}

// readAPIKey takes the key from the environment, for a command that has the flag but was not given it.
func readAPIKey(c *cobra.Command, _ []string) error {
	flag := c.Flags().Lookup(keyFileFlag)
	if flag == nil || flag.Changed {
		return nil
	}
	key, _ := flag.Value.(*apiKey)
	if file := os.Getenv(keyFileVariable); file != "" {
		if err := key.Set(file); err != nil {
			return fmt.Errorf("%s: %w", keyFileVariable, err)
		}
		return nil
	}
	if text := os.Getenv(keyVariable); text != "" {
		if err := key.take(text); err != nil {
			return fmt.Errorf("%s: %w", keyVariable, err)
		}
	}
	return nil
}
