package peer

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// Given a replica that serves a shard, when another one asks for its keys, then it gets every part of the answer; and
// an error where the shard is not served there, the generation is another one, or it cannot take a part.
func TestAReplicaTellsItsKeys(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	owner, err := Start(Config{Generation: 1, Listen: "127.0.0.1:0", Handler: &handler{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	for name, test := range map[string]struct {
		generation uint32
		shard      uint32
		take       error
		want       string
	}{
		"served":               {1, 0, nil, ""},
		"not served":           {1, 1, nil, "it is not served here"},
		"another generation":   {2, 0, nil, "another generation"},
		"a part that is wrong": {1, 0, errors.New("half a part"), "half a part"},
	} {
		p, err := New(Config{Generation: test.generation, Handler: &handler{}, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		var last uint64
		err = p.OrderKeys(t.Context(), owner.Address(), &peerv1.OrderKeysRequest{Shard: test.shard},
			func(part *peerv1.OrderKeysResponse) error {
				last = part.Position
				return test.take
			})
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && last != 2 {
			t.Errorf("%s: the last part is %d", name, last)
		}
		p.Close()
		if err := p.OrderKeys(t.Context(), owner.Address(), &peerv1.OrderKeysRequest{}, nil); err == nil {
			t.Errorf("%s: one that is closed asks", name)
		}
	}
}
