package verify_test

import "google.golang.org/protobuf/reflect/protoreflect"

// change is the name of an event's change in the schema.
func change(m protoreflect.Message) string {
	return string(m.WhichOneof(m.Descriptor().Oneofs().ByName("change")).Name())
}
