package e2e_test

import (
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Events have the names of customers, and the address of ClickHouse a password: only the user who runs the platform may
// read its files.
func TestOnlyItsUserReadsTheFiles(t *testing.T) {
	binary := build(t)
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o755); err != nil { // as a release of before has made it
		t.Fatal(err)
	}
	p := dev(t, binary, dir)
	file, _ := writeRetailer(t, 100)
	p.importFile(t, binary, file)
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // stores delete files while they run
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		files++
		// The mode of a symbolic link means nothing.
		if info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, info.Mode())
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
	address, err := os.ReadFile(filepath.Join(dir, "clickhouse-url"))
	if err != nil || strings.TrimSpace(string(address)) != p.clickHouse {
		t.Errorf("the address of ClickHouse is %q, %v, want %q", address, err, p.clickHouse)
	}
	clickHouse, err := url.Parse(p.clickHouse)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+clickHouse.Host+"/", "text/plain", strings.NewReader("SELECT 1"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("without the password: %d", resp.StatusCode)
	}
}
