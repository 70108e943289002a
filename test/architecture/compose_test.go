package architecture_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composed is what docker-compose.yml says, as far as something else in the repository says it too.
type composed struct {
	Services map[string]composedService
	Volumes  map[string]any
}

type composedService struct {
	Image       string
	Build       struct{ Args map[string]string }
	PullPolicy  string `yaml:"pull_policy"`
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Healthcheck struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	ReadOnly    bool                                  `yaml:"read_only"`
	CapDrop     []string                              `yaml:"cap_drop"`
	SecurityOpt []string                              `yaml:"security_opt"`
	MemLimit    string                                `yaml:"mem_limit"`
}

// file reads one of the repository's files.
func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// found is the first group of each match in a file; there must be one.
func found(t *testing.T, path, pattern string) []string {
	t.Helper()
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(file(t, path), -1) {
		all = append(all, match[1])
	}
	if len(all) == 0 {
		t.Fatalf("%s has nothing like %s", path, pattern)
	}
	return all
}

// command is the program that is no service: it has commands, of which the auditor is one.
const command = "holdfast"

func readCompose(t *testing.T) composed {
	t.Helper()
	var c composed
	if err := yaml.Unmarshal([]byte(file(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// built are the services that are made from this repository.
func (c composed) built() map[string]composedService {
	services := maps.Clone(c.Services)
	maps.DeleteFunc(services, func(_ string, s composedService) bool { return s.Build.Args == nil })
	return services
}

// No container may gain rights or take all memory; those of this repository write to their volumes alone.
func TestComposeGivesNoRightThatNobodyNeeds(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.MemLimit == "" {
			t.Errorf("%s may gain rights, or take all memory", name)
		}
	}
	for name, s := range c.built() {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s may write to its image, or has rights of root's", name)
		}
	}
}

// Every service of this repository has an image, and is run.
func TestComposeRunsEveryService(t *testing.T) {
	var programs []string
	for _, p := range packages(t) {
		if name, ok := strings.CutPrefix(p.ImportPath, module+"cmd/"); ok && p.Name == "main" {
			programs = append(programs, name)
		}
	}
	slices.Sort(programs)
	built := readCompose(t).built()
	var run []string
	for name, s := range built {
		program := s.Build.Args["SERVICE"]
		run = append(run, program)
		if name != program && (name != "auditor" || program != command) {
			t.Errorf("%s is built with %v", name, s.Build.Args)
		}
		if s.Image != "holdfast/"+program+":${VERSION:-dev}" || s.PullPolicy != "never" {
			t.Errorf("%s is %s, pulled: %s", name, s.Image, s.PullPolicy)
		}
	}
	if slices.Sort(run); !slices.Equal(run, programs) {
		t.Errorf("docker-compose.yml runs %v, cmd has %v", run, programs)
	}
	services := slices.DeleteFunc(slices.Clone(programs), func(name string) bool { return name == command })
	for path, list := range map[string]string{
		"Dockerfile":        `scripts/build\.sh /out "\$TAGS" ([a-z -]+) &&`,
		"scripts/images.sh": `(?m)^services="([a-z -]+)"`,
	} {
		if built := strings.Fields(found(t, path, list)[0]); !slices.Equal(slices.Sorted(slices.Values(built)), services) {
			t.Errorf("%s builds %v, cmd has %v", path, built, services)
		}
	}
}

// Variables and flags are settings of the service that gets them: docs/config.md has them from the code.
func TestComposeSetsWhatServicesRead(t *testing.T) {
	page := file(t, "docs/config.md")
	inImage := found(t, "Dockerfile", `(HOLDFAST_\w+)=`)
	for name, s := range readCompose(t).built() {
		if s.Build.Args["SERVICE"] == command {
			continue // its settings are in its help
		}
		_, section, _ := strings.Cut(page, "\n## "+name+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for variable := range s.Environment {
			if !strings.Contains(section, " "+variable+",") {
				t.Errorf("%s does not read %s", name, variable)
			}
			if slices.Contains(inImage, variable) {
				t.Errorf("%s: the image has %s already", name, variable)
			}
		}
		for _, flag := range s.Healthcheck.Test {
			if strings.HasPrefix(flag, "--") && !strings.Contains(section, "  "+flag+"\n") {
				t.Errorf("%s has no %s", name, flag)
			}
		}
		// A folder that is lost with the container is built again from the log, each time.
		keeps := slices.Contains(s.Volumes, name+":/data")
		if has := strings.Contains(section, " HOLDFAST_DATA_DIR,"); has != keeps {
			t.Errorf("%s has a data folder: %v, a volume for it: %v", name, has, keeps)
		}
	}
	for _, variable := range inImage {
		if !strings.Contains(page, " "+variable+",") {
			t.Errorf("Dockerfile: no service reads %s", variable)
		}
	}
}

// Every service has a health check, and what needs another waits for it.
func TestComposeWaitsForHealth(t *testing.T) {
	for name, s := range readCompose(t).Services {
		// Images on scratch have no shell.
		if len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s: health check %q", name, s.Healthcheck.Test)
		}
		for variable, other := range map[string]string{"HOLDFAST_KAFKA": "kafka", "HOLDFAST_CLICKHOUSE": "clickhouse"} {
			if s.Environment[variable] != "" && s.DependsOn[other].Condition != "service_healthy" {
				t.Errorf("%s has %s, and waits for %v", name, variable, s.DependsOn)
			}
		}
	}
}

// There is no password worth the name in it: it is reached from this machine alone, where its head says. What it keeps
// is in its volumes.
func TestComposeStaysOnThisMachine(t *testing.T) {
	c := readCompose(t)
	head, _, _ := strings.Cut(file(t, "docker-compose.yml"), "\nx-")
	for name, s := range c.Services {
		for _, port := range s.Ports {
			address := port[:strings.LastIndex(port, ":")]
			if !strings.HasPrefix(address, "127.0.0.1:") || !strings.Contains(head, address) {
				t.Errorf("%s is published at %s", name, address)
			}
		}
		for _, volume := range s.Volumes {
			source, target, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(source, "./deploy/") && strings.HasSuffix(target, ":ro") {
				if _, err := os.Stat(filepath.Join("..", "..", source)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if _, ok := c.Volumes[source]; !ok {
				t.Errorf("%s: %s is no volume of docker-compose.yml, and no folder of the repository to read", name, source)
			}
		}
	}
}

// Containers run the versions that the tests do.
func TestComposeAndTestsRunTheSameVersions(t *testing.T) {
	services := readCompose(t).Services
	kafka := found(t, "scripts/kafka/pom.xml", `kafka_[\d.]+</artifactId>\s*<version>([\d.]+)<`)[0]
	if have, want := services["kafka"].Image, "apache/kafka:"+kafka; have != want {
		t.Errorf("%s, want %s", have, want)
	}
	clickHouse := found(t, "pkg/devstack/chdb/fetch.go", `const version = "(\d+\.\d+)\.`)[0]
	if have, want := services["clickhouse"].Image, "clickhouse/clickhouse-server:"+clickHouse; have != want {
		t.Errorf("%s, want %s", have, want)
	}
	golang := found(t, "go.mod", `(?m)^go (\d+\.\d+)`)[0]
	if have := found(t, "Dockerfile", `FROM golang:([\d.]+) `)[0]; have != golang {
		t.Errorf("Dockerfile builds with Go %s, go.mod wants %s", have, golang)
	}
	if have := found(t, "README.md", `You need Go ([\d.]+) `)[0]; have != golang {
		t.Errorf("README.md says Go %s, go.mod wants %s", have, golang)
	}
}
