package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFolderOfAnotherPlatform(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 { // it says whose it is from the first start on
		if err := PlatformFolder(dir, Platform{Env: "shop", TopicPrefix: "eu."}); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range []Platform{{Env: "shop", TopicPrefix: "us."}, {Env: "test", TopicPrefix: "eu."}} {
		err := PlatformFolder(dir, other)
		if err == nil || !strings.Contains(err.Error(), `is of the platform --env shop --topic-prefix "eu."`) ||
			!strings.Contains(err.Error(), "give another folder with --data-dir, or delete this one") {
			t.Errorf("%v: %v", other, err)
		}
	}
	// Half a file says nothing.
	if err := os.WriteFile(filepath.Join(dir, platformFile), []byte(`{"env":"sh`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PlatformFolder(dir, Platform{Env: "test"}); err != nil {
		t.Error(err)
	}
	if err := PlatformFolder(dir, Platform{Env: "shop", TopicPrefix: "eu."}); err == nil {
		t.Error("it is of the platform test now")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PlatformFolder(file, Platform{Env: "shop"}); err == nil {
		t.Error("a file is no folder")
	}
}

// A folder has the ID of the platform's topics from when it is known. Other topics of the same names are refused.
func TestAFolderOfOtherTopics(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"", "a", "", "a"} {
		if err := PlatformFolder(dir, Platform{Env: "shop", ID: id}); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
	}
	err := PlatformFolder(dir, Platform{Env: "shop", ID: "b"})
	if err == nil || !strings.Contains(err.Error(), "is of the topics a, of another Kafka cluster or deleted since") ||
		!strings.Contains(err.Error(), "give another folder with --data-dir, or delete this one") {
		t.Errorf("other topics: %v", err)
	}
}
