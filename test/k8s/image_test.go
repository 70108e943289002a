package k8s_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// image is a container image of one layer.
type image struct {
	// name is the repository with its tag.
	name string
	// uid owns every file, and is the user of its processes.
	uid        int
	entrypoint []string
	env        []string
	// files are files and folders of this machine, by their path in the image. Symbolic links are followed.
	files map[string]string
	// folders are empty.
	folders []string
}

// write writes the image as docker save does: an archive that docker, containerd, kind and k3s load.
func (i *image) write(file string) error {
	layer := file + ".layer"
	defer os.Remove(layer)
	digest, err := i.writeLayer(layer)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.name, err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": i.entrypoint, "Env": i.env, "User": fmt.Sprintf("%d:%d", i.uid, i.uid)},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	configName := hex.EncodeToString(sum[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{
		{"Config": configName, "RepoTags": []string{i.name}, "Layers": []string{"layer.tar"}},
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
func (i *image) writeLayer(file string) (digest string, err error) {
	out, err := os.Create(file)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	archive := tar.NewWriter(io.MultiWriter(out, hash))
	made := map[string]bool{}
	for _, folder := range i.folders {
		err = errors.Join(err, i.makeFolders(archive, made, folder))
	}
	for name, source := range i.files {
		err = errors.Join(err, i.makeFolders(archive, made, path.Dir(name)), i.addTree(archive, made, name, source))
	}
	err = errors.Join(err, archive.Close(), out.Close())
	return hex.EncodeToString(hash.Sum(nil)), err
}

// makeFolders adds a folder and those that it is in, once.
func (i *image) makeFolders(archive *tar.Writer, made map[string]bool, folder string) error {
	folder = strings.Trim(folder, "/")
	if folder == "" || folder == "." || made[folder] {
		return nil
	}
	made[folder] = true
	return errors.Join(i.makeFolders(archive, made, path.Dir(folder)), archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, Uid: i.uid, Gid: i.uid,
	}))
}

// addTree adds a file, or a folder with all that is in it.
func (i *image) addTree(archive *tar.Writer, made map[string]bool, name, source string) error {
	info, err := os.Stat(source)
	switch {
	case errors.Is(err, fs.ErrNotExist) && isLink(source):
		return nil // a link to nothing, such as one to documentation that is not installed
	case err != nil:
		return err
	case !info.IsDir():
		return addFile(archive, strings.TrimPrefix(name, "/"), source, i.uid)
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
	})
	if err == nil {
		_, err = io.Copy(archive, in)
	}
	return err
}

// services are the programs that get an image each.
var services = []string{"order-api", "query-api", "inventory-projector", "analytics-projector", "holdfast"}

// The stand-ins for images that cannot be pulled, and the load.
const (
	kafkaImage      = "holdfast.test/kafka:stand-in"
	clickHouseImage = "holdfast.test/clickhouse:stand-in"
	loadImage       = "holdfast.test/load:dev"
)

// serviceUser is the user of the services' images, as the Dockerfile has it.
const serviceUser = 65532

// serviceImage is one program, as the Dockerfile makes its image.
func serviceImage(programs, service, tag string) (*image, error) {
	program := filepath.Join(programs, service)
	files, err := withLibraries(program) // none, if it is static
	if err != nil {
		return nil, err
	}
	files["/service"] = program
	return &image{
		name: "docker.io/holdfast/" + service + ":" + tag, uid: serviceUser, entrypoint: []string{"/service"},
		env:   []string{"HOLDFAST_LISTEN=:8080", "HOLDFAST_DATA_DIR=/data"},
		files: files, folders: []string{"/data"},
	}, nil
}

// build builds programs of this repository into a folder.
func build(programs, tags string, packages ...string) error {
	args := append([]string{
		"build", "-trimpath", "-tags", tags, "-ldflags", "-s -w", "-o", programs + string(filepath.Separator),
	}, packages...)
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", packages, err, out)
	}
	return nil
}

// buildImages builds all images of the test into a folder, and returns their archives.
func buildImages(folder string, tags ...string) (archives []string, err error) {
	programs := filepath.Join(folder, "programs")
	packages := []string{"./load", "../standins/kafka", "../standins/clickhouse"}
	for _, service := range services {
		packages = append(packages, "../../cmd/"+service)
	}
	if err := build(programs, "grpcnotrace", packages...); err != nil {
		return nil, err
	}
	images := []*image{{
		name: loadImage, uid: serviceUser, entrypoint: []string{"/load"},
		files: map[string]string{"/load": filepath.Join(programs, "load")},
	}}
	for _, tag := range tags {
		for _, service := range services {
			i, err := serviceImage(programs, service, tag)
			if err != nil {
				return nil, err
			}
			images = append(images, i)
		}
	}
	kafka, err := kafkaStandIn(programs)
	if err != nil {
		return nil, err
	}
	clickHouse, err := clickHouseStandIn(programs)
	if err != nil {
		return nil, err
	}
	for n, i := range append(images, kafka, clickHouse) {
		file := filepath.Join(folder, fmt.Sprintf("%d.tar", n))
		if err := i.write(file); err != nil {
			return nil, err
		}
		archives = append(archives, file)
	}
	return archives, nil
}

// kafkaStandIn is Apache Kafka from the jars of scripts/kafka.sh and this machine's Java.
func kafkaStandIn(programs string) (*image, error) {
	if out, err := exec.Command("../../scripts/kafka.sh", "fetch").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("fetch Apache Kafka: %w\n%s", err, out)
	}
	program, err := exec.LookPath("java")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return nil, fmt.Errorf("java, of which the stand-in for apache/kafka is made: %w", err)
	}
	home := filepath.Dir(filepath.Dir(program))
	libraries, err := filepath.Glob(filepath.Join(home, "lib", "*.so"))
	if err != nil {
		return nil, err
	}
	files, err := withLibraries(append(libraries, program, filepath.Join(home, "lib", "server", "libjvm.so"))...)
	if err != nil {
		return nil, err
	}
	for name, source := range map[string]string{
		"/start": filepath.Join(programs, "kafka"), "/jre/bin/java": program, "/jre/lib": filepath.Join(home, "lib"),
		"/jre/conf": filepath.Join(home, "conf"), "/kafka": "../../.local/kafka/lib",
		"/kafka/log4j2.xml": "../../scripts/kafka/log4j2.xml",
	} {
		files[name] = source
	}
	return &image{
		name: kafkaImage, uid: 1000, entrypoint: []string{"/start"}, files: files, folders: []string{"/tmp"},
		env: []string{"PATH=/jre/bin"},
	}, nil
}

// clickHouseStandIn is the embedded ClickHouse.
func clickHouseStandIn(programs string) (*image, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	libraries, err := filepath.Glob(filepath.Join(cache, "holdfast", "libchdb-*"))
	if err != nil {
		return nil, err
	}
	if len(libraries) == 0 {
		return nil, errors.New("the embedded ClickHouse has not been fetched; run go test ./pkg/devstack/chdb once")
	}
	program := filepath.Join(programs, "clickhouse")
	shared := slices.DeleteFunc(slices.Clone(libraries), func(file string) bool { return !strings.HasSuffix(file, ".so") })
	files, err := withLibraries(append(shared, program)...)
	if err != nil {
		return nil, err
	}
	files["/start"] = program
	for _, library := range libraries {
		files["/cache/"+filepath.Base(library)] = library
	}
	return &image{
		name: clickHouseImage, uid: 101, entrypoint: []string{"/start"}, files: files,
		env: []string{"HOLDFAST_CACHE=/cache", "HOME=/tmp"}, folders: []string{"/tmp", "/var/lib/clickhouse"},
	}, nil
}

// libraryPath finds what a program is linked with in the output of ldd.
var libraryPath = regexp.MustCompile(`(?m)(?:=>\s+|^\s+)(/\S+) \(0x`)

// withLibraries are the C libraries that the files need, by their path.
func withLibraries(files ...string) (map[string]string, error) {
	all := map[string]string{}
	for _, file := range files {
		out, err := exec.Command("ldd", file).CombinedOutput()
		if err != nil && !bytes.Contains(out, []byte("not a dynamic executable")) {
			return nil, fmt.Errorf("ldd %s: %w\n%s", file, err, out)
		}
		for _, match := range libraryPath.FindAllStringSubmatch(string(out), -1) {
			// A library of Java's own is in its place already.
			if !strings.Contains(match[1], "/jvm/") {
				all[match[1]] = match[1]
			}
		}
	}
	return all, nil
}
