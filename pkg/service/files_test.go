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
		if err := PlatformFolder(dir, "shop", "eu."); err != nil {
			t.Fatal(err)
		}
	}
	for _, other := range [][2]string{{"shop", "us."}, {"test", "eu."}} {
		err := PlatformFolder(dir, other[0], other[1])
		if err == nil || !strings.Contains(err.Error(), `is of the platform --env shop --topic-prefix "eu."`) ||
			!strings.Contains(err.Error(), "give another folder with --data-dir, or delete this one") {
			t.Errorf("%v: %v", other, err)
		}
	}
	// Half a file says nothing.
	if err := os.WriteFile(filepath.Join(dir, platformFile), []byte(`{"env":"sh`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PlatformFolder(dir, "test", ""); err != nil {
		t.Error(err)
	}
	if err := PlatformFolder(dir, "shop", "eu."); err == nil {
		t.Error("it is of the platform test now")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := PlatformFolder(file, "shop", ""); err == nil {
		t.Error("a file is no folder")
	}
}
