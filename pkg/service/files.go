package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// PrivateFiles lets only the user of this process read and write the files that it makes from now on: files are 0600
// and folders 0700, also those of libraries. Events have the names and addresses of customers.
func PrivateFiles() { syscall.Umask(0o077) }

// PrivateFolder makes a folder for data, and closes it to other users where it is there already. An earlier release may
// have made what is in it readable for all; through a closed folder nobody else reaches it.
func PrivateFolder(dir string) error {
	err := errors.Join(os.MkdirAll(dir, 0o700),
		os.Chmod(dir, 0o700)) //nolint:gosec // G302 means files: a folder needs its x
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// platformFile in a data folder says whose platform it is of.
const platformFile = "platform.json"

// platformOf is the content of platformFile.
type platformOf struct {
	Env         string `json:"env"`
	TopicPrefix string `json:"topic_prefix"`
}

// PlatformFolder is PrivateFolder for data that is made from the log of one platform. A folder of another platform is
// refused: what is in it would be taken for that of this one, or be deleted. One that does not say whose it is becomes
// this platform's.
func PlatformFolder(dir, env, topicPrefix string) error {
	if err := PrivateFolder(dir); err != nil {
		return err
	}
	path, want := filepath.Join(dir, platformFile), platformOf{env, topicPrefix}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data folder: %w", err)
	}
	var have platformOf
	if err == nil && json.Unmarshal(text, &have) == nil && have != want { // a crash may leave half a file
		return fmt.Errorf("the data folder %s is of the platform --env %s --topic-prefix %q, and this process is of "+
			"--env %s --topic-prefix %q: give another folder with --data-dir, or delete this one, "+
			"which is made again from the log", dir, have.Env, have.TopicPrefix, env, topicPrefix)
	}
	if err == nil && have == want {
		return nil
	}
	if text, err = json.Marshal(want); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}
