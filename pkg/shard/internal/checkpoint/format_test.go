package checkpoint

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"

	statev1 "github.com/holdfast/holdfast/schemas/gen/holdfast/state/v1"
)

var update = flag.Bool("update", false, "write the golden file of the format again")

// A change of the state's schema needs another Format: otherwise a checkpoint that was folded without a new field would
// go on without it.
func TestFormatRisesWithTheStatesSchema(t *testing.T) {
	file := protodesc.ToFileDescriptorProto(statev1.File_holdfast_state_v1_state_proto)
	schema, err := proto.MarshalOptions{Deterministic: true}.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	have := fmt.Sprintf("format %d of schema %x\n", Format, sha256.Sum256(schema))
	golden := filepath.Join("testdata", "format.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if have != string(want) {
		t.Errorf("have %swant %sThe schema of the state has changed: raise Format, and run this test with -update", have,
			want)
	}
}
