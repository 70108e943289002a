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

// Platform says which platform a process belongs to. It is the content of platformFile.
type Platform struct {
	Env         string `json:"env"`
	TopicPrefix string `json:"topic_prefix"`
	// ID is that of the platform's topics (eventlog.Client.PlatformID); empty: it is not known yet, or nobody knows it.
	ID string `json:"id,omitempty"`
}

// other is what of a folder is another platform's, and what this one's; empty: nothing is.
func (p Platform) other(folder Platform) (has, wants string) {
	switch {
	case folder.Env != p.Env || folder.TopicPrefix != p.TopicPrefix:
		return folder.settings(), p.settings()
	case folder.ID != "" && p.ID != "" && folder.ID != p.ID:
		return "the topics " + folder.ID + ", of another Kafka cluster or deleted since", "the topics " + p.ID
	}
	return "", ""
}

func (p Platform) settings() string {
	return fmt.Sprintf("the platform --env %s --topic-prefix %q", p.Env, p.TopicPrefix)
}

// PlatformFolder is PrivateFolder for data that is made from the log of one platform. A folder of another platform is
// refused: what is in it would be taken for that of this one, or be deleted. One that does not say whose it is becomes
// this platform's.
func PlatformFolder(dir string, platform Platform) error {
	if err := PrivateFolder(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, platformFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("data folder: %w", err)
	}
	var folder Platform
	if err == nil && json.Unmarshal(text, &folder) == nil { // a crash may leave half a file
		if has, wants := platform.other(folder); has != "" {
			return fmt.Errorf("the data folder %s is of %s, and this process is of %s: give another folder with "+
				"--data-dir, or delete this one, which is made again from the log", dir, has, wants)
		}
		if platform.ID == "" || platform == folder {
			return nil
		}
	}
	if text, err = json.Marshal(platform); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}
