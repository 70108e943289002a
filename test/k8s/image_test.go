package k8s_test

import (
	"fmt"
	"path/filepath"

	"github.com/holdfast/holdfast/test/standins"
)

// services are the programs that get an image each.
var services = []string{"order-api", "query-api", "inventory-projector", "analytics-projector", "holdfast"}

// loadImage has the load.
const loadImage = "holdfast.test/load:dev"

// serviceUser is the user of the services' images, as the Dockerfile has it.
const serviceUser = 65532

// serviceImage is one program, as the Dockerfile makes its image.
func serviceImage(programs, service, tag string) (*standins.Image, error) {
	program := filepath.Join(programs, service)
	files, err := standins.Libraries(program) // none, if it is static
	if err != nil {
		return nil, err
	}
	files["/service"] = program
	return &standins.Image{
		Name: "docker.io/holdfast/" + service + ":" + tag, UID: serviceUser, Entrypoint: []string{"/service"},
		Env:   []string{"HOLDFAST_LISTEN=:8080", "HOLDFAST_ADMIN_LISTEN=:9464", "HOLDFAST_DATA_DIR=/data"},
		Files: files, Folders: []string{"/data"},
	}, nil
}

// buildServices builds the programs of the services' images into a folder, as the images have them: holdfast without
// the embedded broker and ClickHouse.
func buildServices(folder string) error {
	packages := make([]string, len(services))
	for n, service := range services {
		packages[n] = "../../cmd/" + service
	}
	return standins.Build(folder, "grpcnotrace,noembedded", packages...)
}

// buildImages builds all images of the test into a folder, and returns their archives.
func buildImages(folder string, tags ...string) (archives []string, err error) {
	programs := filepath.Join(folder, "programs")
	err = standins.Build(programs, "grpcnotrace", "../load", "../standins/kafka", "../standins/clickhouse")
	if err == nil {
		err = buildServices(programs)
	}
	if err != nil {
		return nil, err
	}
	images := []*standins.Image{{
		Name: loadImage, UID: serviceUser, Entrypoint: []string{"/load"},
		Files: map[string]string{"/load": filepath.Join(programs, "load")},
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
	kafka, err := standins.Kafka(filepath.Join("..", ".."), programs)
	if err != nil {
		return nil, err
	}
	clickHouse, err := standins.ClickHouse(programs)
	if err != nil {
		return nil, err
	}
	for n, i := range append(images, kafka, clickHouse) {
		file := filepath.Join(folder, fmt.Sprintf("%d.tar", n))
		if err := i.Write(file); err != nil {
			return nil, err
		}
		archives = append(archives, file)
	}
	return archives, nil
}
