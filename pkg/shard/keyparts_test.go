package shard

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/s2"

	"github.com/holdfast/holdfast/pkg/shard/internal/checkpoint"
	peerv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/peer/v1"
)

// Given an owner with a filter, when it sends the whole of it, or more keys than fit into one part, then each part is
// below the limit of a message, and the one that asked has all of them.
func TestKeysAreSentInParts(t *testing.T) {
	filter := &shardFilter{OrderFilter: checkpoint.NewOrderFilter(), serves: true, id: uuid.New()}
	filter.Finish()
	n := &Node{filters: make([]shardFilters, 1)}
	n.filters[0].here.Store(filter)
	mine, words, keys := checkpoint.NewOrderFilter(), 0, 0
	var last *peerv1.OrderKeysResponse
	ask := func(id []byte, position uint64) error {
		return n.sendKeys(&peerv1.OrderKeysRequest{FilterId: id, Position: position},
			func(part *peerv1.OrderKeysResponse) error {
				if part.SizeVT() > MaxFrameBytes {
					t.Errorf("a part has %d bytes", part.SizeVT())
				}
				last, keys = part, keys+len(part.Keys)
				if part.WordCount == 0 {
					return nil
				}
				merged, err := mergeWords(mine, part)
				words += merged
				return err
			})
	}
	if err := ask(nil, 0); err != nil || words != mine.WordCount() {
		t.Fatalf("%d of %d words, %v", words, mine.WordCount(), err)
	}
	const added = 2*keysPerPart + 1
	for range added {
		filter.Add(uuid.NewString())
	}
	if err := ask(last.FilterId, last.Position); err != nil || keys < added*99/100 || last.Position == 0 {
		t.Errorf("%d of %d keys, %v", keys, added, err) // a few look as if they were there
	}
	if err := n.sendKeys(&peerv1.OrderKeysRequest{Shard: 1}, nil); err == nil || err.Error() != "there is no shard 1" {
		t.Error(err)
	}
	n.filters[0].here.Store(&shardFilter{OrderFilter: filter.OrderFilter}) // a standby's
	if err := ask(nil, 0); err == nil || !strings.Contains(err.Error(), "shard 0 is not served here") {
		t.Error(err)
	}
}

// Given a part of another program's filter, or one that is damaged, when it is merged, then that is an error.
func TestAPartThatIsNotOfTheFilterIsRefused(t *testing.T) {
	mine := checkpoint.NewOrderFilter()
	count := uint64(mine.WordCount())
	word := s2.Encode(nil, make([]byte, 8))
	for want, part := range map[string]*peerv1.OrderKeysResponse{
		"has 7 words":                      {WordCount: 7, Words: word},
		"a part of the owner's filter: s2": {WordCount: count, Words: []byte{0xff}},
		"is beyond its end":                {WordCount: count, WordOffset: count, Words: word},
		"corrupt":                          {WordCount: count, Words: word[:len(word)-1]},
		"of the owner's filter has 1048584 bytes": {WordCount: count,
			Words: s2.Encode(nil, make([]byte, 8*wordsPerPart+8))},
	} {
		if _, err := mergeWords(mine, part); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Given a shard whose checkpoint is closed here, when no other has taken its place yet, then the keys that it knew are
// known still, and what the owner tells is added to them.
func TestWhatACheckpointKnewStays(t *testing.T) {
	dir := t.TempDir()
	store, err := checkpoint.Open(dir, checkpoint.Config{
		PartitionCount: 1, Foreign: func(string) bool { return false }, Damaged: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{filters: make([]shardFilters, 1)}
	withdraw := n.filters[0].publish(store, true)
	store.Filter().Add("a key")
	for !store.Filter().Complete() {
		if err := store.Save(); err != nil { // it takes in what was read in the background
			t.Fatal(err)
		}
	}
	if filter := n.filterOf(0); filter == nil || !filter.serves {
		t.Fatalf("the filter is %+v", filter)
	}
	withdraw()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	filter := n.filterOf(0)
	if filter == nil || filter.serves || !filter.MayHave("a key") || filter.MayHave("another key") {
		t.Fatalf("the filter is %+v", filter)
	}
	n.filters[0].left().Add("another key")
	if !filter.MayHave("another key") {
		t.Error("what the owner tells is not added to it")
	}
	if (&shardFilters{}).left().Complete() {
		t.Error("a shard that never had a checkpoint here knows all keys")
	}
}
