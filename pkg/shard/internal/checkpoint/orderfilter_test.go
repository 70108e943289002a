package checkpoint

import (
	"fmt"
	"slices"
	"testing"
)

// Given a filter that somebody follows, when keys are added, then each is told once, until more were added than it
// keeps; whoever asks from before that reads the whole filter and misses nothing either.
func TestAFilterTellsWhatIsAdded(t *testing.T) {
	owner := NewOrderFilter()
	owner.Add("before")
	if _, _, ok := owner.KeysSince(0); ok {
		t.Error("a filter that does not have all orders tells keys")
	}
	owner.Finish()
	position, ok := owner.Position()
	if !ok {
		t.Fatal("it does not have all orders")
	}
	follower := NewOrderFilter()
	for from := 0; from < owner.WordCount(); from += 1000 {
		if !follower.MergeWords(from, owner.Words(from, min(from+1000, owner.WordCount()))) {
			t.Fatalf("the words from %d on are not taken", from)
		}
	}
	if !follower.MayHave("anything") {
		t.Error("a filter without all words says what there is not")
	}
	follower.Finish()
	if !follower.MayHave("before") || follower.MayHave("first") {
		t.Error("the follower does not have what the owner has")
	}
	for range 3 {
		owner.Add("first")
	}
	owner.Add("second")
	keys, next, ok := owner.KeysSince(position)
	if !ok || !slices.Equal(keys, []string{"first", "second"}) {
		t.Errorf("%v, %v", keys, ok)
	}
	if keys, again, ok := owner.KeysSince(next); !ok || len(keys) > 0 || again != next {
		t.Errorf("%v, %v", keys, ok)
	}
	if _, _, ok := owner.KeysSince(next + 1); ok {
		t.Error("it tells from a position that it has not reached")
	}
	for i := range maxAdded + 100 {
		owner.Add(fmt.Sprint("many-", i))
	}
	if _, _, ok := owner.KeysSince(next); ok {
		t.Error("it tells from a position that it has forgotten")
	}
	if position, _ = owner.Position(); position < maxAdded {
		t.Errorf("the position is %d", position)
	}
	for _, words := range [][2]int{{-1, 1}, {owner.WordCount(), 1}, {0, owner.WordCount() + 1}} {
		if follower.MergeWords(words[0], make([]uint64, words[1])) {
			t.Errorf("it takes %d words from %d on", words[1], words[0])
		}
	}
}
