package standins

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// Image is a container image of one layer.
type Image struct {
	// Name is the repository with its tag.
	Name string
	// UID owns every file, and is the user of the processes.
	UID        int
	Entrypoint []string
	Env        []string
	// Files are files and folders of this machine, by their path in the image. Symbolic links are followed.
	Files map[string]string
	// Folders are empty.
	Folders []string
}

// Write writes the image as docker save does: an archive that docker, containerd, kind and k3s load.
func (i *Image) Write(file string) error {
	layer := file + ".layer"
	defer func() { _ = os.Remove(layer) }()
	digest, err := i.writeLayer(layer)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Name, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": i.Entrypoint, "Env": i.Env, "User": fmt.Sprintf("%d:%d", i.UID, i.UID)},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	configName := hex.EncodeToString(sum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configName, "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(out)
	for _, part := range []struct {
		name string
		text []byte
	}{{"manifest.json", manifest}, {configName, config}} {
		err = errors.Join(err, archive.WriteHeader(&tar.Header{Name: part.name, Mode: 0o644, Size: int64(len(part.text))}))
		_, werr := archive.Write(part.text)
		err = errors.Join(err, werr)
	}
	return errors.Join(err, addFile(archive, "layer.tar", layer, 0), archive.Close(), out.Close())
}

// writeLayer writes the files of the image, and returns the layer's SHA-256.
func (i *Image) writeLayer(file string) (digest string, err error) {
	out, err := os.Create(file)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	archive := tar.NewWriter(io.MultiWriter(out, hash))
	made := map[string]bool{}
	for _, folder := range i.Folders {
		err = errors.Join(err, i.makeFolders(archive, made, folder))
	}
	for name, source := range i.Files {
		err = errors.Join(err, i.makeFolders(archive, made, path.Dir(name)), i.addTree(archive, made, name, source))
	}
	err = errors.Join(err, archive.Close(), out.Close())
	return hex.EncodeToString(hash.Sum(nil)), err
}

// makeFolders adds a folder and those that it is in, once.
func (i *Image) makeFolders(archive *tar.Writer, made map[string]bool, folder string) error {
	folder = strings.Trim(folder, "/")
	if folder == "" || folder == "." || made[folder] {
		return nil
	}
	made[folder] = true
	return errors.Join(i.makeFolders(archive, made, path.Dir(folder)), archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, Uid: i.UID, Gid: i.UID,
	}))
}

// addTree adds a file, or a folder with all that is in it.
func (i *Image) addTree(archive *tar.Writer, made map[string]bool, name, source string) error {
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isLink(source):
		return nil // a link to nothing, such as one to documentation that is not installed
	case err != nil:
		return err
	case !info.IsDir():
		return addFile(archive, strings.TrimPrefix(name, "/"), source, i.UID)
	}
	entries, err := os.ReadDir(source)
	err = errors.Join(err, i.makeFolders(archive, made, name))
	for _, entry := range entries {
		err = errors.Join(err, i.addTree(archive, made, path.Join(name, entry.Name()), filepath.Join(source, entry.Name())))
	}
	return err
}

func isLink(file string) bool {
	info, err := os.Lstat(file)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

func addFile(archive *tar.Writer, name, source string, uid int) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	err = archive.WriteHeader(&tar.Header{
		Name: name, Mode: int64(info.Mode().Perm() | 0o444), Size: info.Size(), Uid: uid, Gid: uid,
		ModTime: info.ModTime(), Format: tar.FormatPAX, // in nanoseconds
	})
	if err == nil {
		_, err = io.Copy(archive, in)
	}
	return err
}
