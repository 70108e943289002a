package assignor_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast/holdfast/pkg/eventlog/assignor"
)

// group is replicas that do what they are told at once: they build what they are to keep, and drop the rest.
type group struct {
	shards   int32
	standbys int
	members  map[string]*assignor.Member
	shares   map[string]assignor.Share
	gone     map[string]*assignor.Member // those that crashed
	moved    int                         // shards that changed their owner
	cold     int                         // shards that went to a replica that had more to read than another one
	built    int                         // checkpoints that were built
}

func newGroup(shards int32, standbys int) *group {
	return &group{
		shards: shards, standbys: standbys, members: map[string]*assignor.Member{}, shares: map[string]assignor.Share{},
		gone: map[string]*assignor.Member{},
	}
}

func (g *group) names() []string {
	var names []string
	for name := range g.members {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (g *group) join(name string) {
	g.members[name] = &assignor.Member{Name: name, Has: make([]assignor.Level, g.shards)}
}

// back starts a replica that crashed again.
func (g *group) back(name string) {
	g.join(name)
	for s, level := range g.gone[name].Has {
		g.members[name].Has[s] = min(level, assignor.Recent)
	}
	delete(g.gone, name)
}

func (g *group) crash(name string) {
	g.gone[name] = g.members[name]
	delete(g.members, name)
	delete(g.shares, name)
}

func (g *group) owners() map[int32]string {
	owners := map[int32]string{}
	for name, m := range g.members {
		for _, s := range m.Owned {
			owners[s] = name
		}
	}
	return owners
}

// assign has the group assign once. A shard that moves is given up by its owner before.
func (g *group) assign() (changed bool) {
	var members []assignor.Member
	for _, name := range g.names() {
		members = append(members, *g.members[name])
	}
	before, had := g.owners(), map[string][]assignor.Level{}
	for _, m := range members {
		had[m.Name] = slices.Clone(m.Has)
	}
	for i, share := range assignor.Assign(members, g.shards, g.standbys) {
		m := g.members[members[i].Name]
		for _, s := range share.Owned {
			if owner, any := before[s]; any && owner != m.Name {
				g.moved++
				changed = true
			} else if !any {
				changed = true
			}
			best := assignor.None
			for _, other := range members {
				best = max(best, other.Has[s])
			}
			served := before[s] != "" && had[before[s]][s] == assignor.Current
			if m.Has[s] < best && (served || m.Has[s] < assignor.Recent) {
				g.cold++
			}
		}
		old := g.shares[m.Name]
		changed = changed || !slices.Equal(old.Standbys, share.Standbys) || !slices.Equal(old.Owned, share.Owned)
		m.Owned = share.Owned
		g.shares[m.Name] = share
	}
	return changed
}

// build has the replicas build the checkpoints that they are told to keep. It reports whether any were built or
// dropped.
func (g *group) build() (changed bool) {
	for name, m := range g.members {
		for s := range m.Has {
			keeps := slices.Contains(g.shares[name].Owned, int32(s)) || slices.Contains(g.shares[name].Standbys, int32(s))
			switch {
			case keeps && m.Has[s] < assignor.Current:
				m.Has[s], changed = assignor.Current, true
				g.built++
			case !keeps && m.Has[s] == assignor.Current:
				m.Has[s], changed = assignor.Late, true
			case !keeps && m.Has[s] > assignor.Old:
				m.Has[s], changed = assignor.Old, true
			}
		}
	}
	return changed
}

// settle lets the group assign, and the replicas build, until nothing changes.
func (g *group) settle() error {
	for range 12 {
		assigned, built := g.assign(), g.build()
		if !assigned && !built {
			return nil
		}
	}
	return fmt.Errorf("it does not come to rest: %v", g.shares)
}

// check finds what is wrong with a group at rest.
func (g *group) check() error {
	var owned, kept []int
	of := map[int32]map[string]bool{}
	for _, name := range g.names() {
		share := g.shares[name]
		owned, kept = append(owned, len(share.Owned)), append(kept, len(share.Standbys))
		for _, s := range share.Standbys {
			if slices.Contains(share.Owned, s) {
				return fmt.Errorf("%s owns shard %d and keeps a standby of it", name, s)
			}
			if of[s] == nil {
				of[s] = map[string]bool{}
			}
			of[s][name] = true
		}
	}
	if n := len(g.owners()); n != int(g.shards) {
		return fmt.Errorf("%d of %d shards have an owner", n, g.shards)
	}
	if slices.Max(owned)-slices.Min(owned) > 1 || slices.Max(kept)-slices.Min(kept) > 1 {
		return fmt.Errorf("owners %v and standbys %v are not balanced", owned, kept)
	}
	for s := range g.shards {
		if want := min(g.standbys, len(g.members)-1); len(of[s]) != want {
			return fmt.Errorf("shard %d has %d standbys, want %d", s, len(of[s]), want)
		}
	}
	return nil
}

// Given replicas that come, go and crash, when the group comes to rest, then owners and standbys are balanced within
// one, every shard has its standbys on distinct replicas other than its owner, and no shard ever went to a replica
// that would have had more to read than another one.
func TestAGroupComesToRestInBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGroup(int32(rapid.IntRange(1, 40).Draw(t, "shards")), rapid.IntRange(1, 4).Draw(t, "standbys"))
		for i := range rapid.IntRange(1, 12).Draw(t, "changes") {
			names := g.names()
			if len(names) > 1 && rapid.Bool().Draw(t, "crash") {
				g.crash(rapid.SampledFrom(names).Draw(t, "who"))
			} else if len(g.gone) > 0 && rapid.Bool().Draw(t, "back") {
				g.back(rapid.SampledFrom(slices.Sorted(maps.Keys(g.gone))).Draw(t, "who"))
			} else {
				g.join(fmt.Sprintf("replica-%d", i))
			}
			if rapid.Bool().Draw(t, "at once") {
				g.assign()
				continue // the next change comes before anything is built
			}
			if err := g.settle(); err != nil {
				t.Fatal(err)
			}
			if err := g.check(); err != nil {
				t.Fatal(err)
			}
		}
		if g.cold > 0 {
			t.Fatalf("%d shards went to a replica that had more to read than another one", g.cold)
		}
	})
}

// Given a group at rest, when one replica crashes, then its shards go to replicas that keep a standby of them, nobody
// else's move at once, and they are spread.
func TestTheShardsOfACrashedReplicaGoToTheirStandbysAndSpread(t *testing.T) {
	for _, replicas := range []int{4, 5, 8, 16} {
		for _, shards := range []int32{16, 32, 64} {
			for victim := range replicas {
				g := newGroup(shards, 2)
				for i := range replicas {
					g.join(fmt.Sprintf("replica-%d", i))
					must(t, g.settle())
				}
				name := fmt.Sprintf("replica-%d", victim)
				lost, before := g.members[name].Owned, g.owners()
				standbys := map[int32][]string{}
				for other, share := range g.shares {
					for _, s := range share.Standbys {
						standbys[s] = append(standbys[s], other)
					}
				}
				g.crash(name)
				g.moved = 0
				g.assign()
				after, heirs := g.owners(), map[string]int{}
				for _, s := range lost {
					if !slices.Contains(standbys[s], after[s]) {
						t.Errorf("%d replicas: shard %d of %s went to %s; its standbys are %v", replicas, s, name, after[s],
							standbys[s])
					}
					heirs[after[s]]++
				}
				for s, owner := range before {
					if owner != name && after[s] != owner {
						t.Errorf("%d replicas: shard %d moved from %s to %s", replicas, s, owner, after[s])
					}
				}
				most := 0
				for _, n := range heirs {
					most = max(most, n)
				}
				if even := (len(lost) + replicas - 2) / (replicas - 1); most > even+1 {
					t.Errorf("%d replicas, %d shards: of the %d shards of %s one heir has %d", replicas, shards, len(lost),
						name, most)
				}
				must(t, g.settle())
				must(t, g.check())
			}
		}
	}
}

// Given a group at rest, when a replica joins, then it gets its share of the shards and no other shard moves, and no
// more checkpoints are built than it keeps.
func TestAReplicaThatJoinsMovesLittle(t *testing.T) {
	g := newGroup(32, 2)
	for i := range 12 {
		g.moved, g.built = 0, 0
		g.join(fmt.Sprintf("replica-%d", i))
		must(t, g.settle())
		must(t, g.check())
		name := fmt.Sprintf("replica-%d", i)
		share := g.shares[name]
		if i > 0 && g.moved != len(share.Owned) {
			t.Errorf("replica %d owns %d shards, and %d moved", i, len(share.Owned), g.moved)
		}
		if most := len(share.Owned) + len(share.Standbys); i > 2 && g.built > most+most/2 {
			t.Errorf("replica %d keeps %d checkpoints, and %d were built", i, most, g.built)
		}
	}
}

// Given an owner that reads a shard's log before it can serve the shard, when another replica has a current checkpoint,
// then that one gets it.
func TestAShardThatIsNotServedYetGoesToACurrentCheckpoint(t *testing.T) {
	shares := assignor.Assign([]assignor.Member{
		{Name: "a", Owned: []int32{0}, Has: []assignor.Level{assignor.Old, assignor.None}},
		{Name: "b", Owned: []int32{1}, Has: []assignor.Level{assignor.Current, assignor.Current}},
	}, 2, 2)
	if want := []int32{0, 1}; !slices.Equal(shares[1].Owned, want) {
		t.Errorf("b owns %v, want %v", shares[1].Owned, want)
	}
}

// Given shards that nobody serves, when replicas have checkpoints of them, then each goes to one that has the best.
func TestAShardWithoutAnOwnerGoesToTheBestCheckpoint(t *testing.T) {
	shares := assignor.Assign([]assignor.Member{
		{Name: "a", Has: []assignor.Level{assignor.Current, assignor.Old, assignor.None, assignor.Current}},
		{Name: "b", Has: []assignor.Level{assignor.None, assignor.None, assignor.None, assignor.Current}},
	}, 4, 2)
	if want := []int32{0, 1}; !slices.Equal(shares[0].Owned, want) {
		t.Errorf("a owns %v, want %v", shares[0].Owned, want)
	}
}

// Given a replica that keeps no standbys, when it joins, then it has its share of the shards at once.
func TestAReplicaWithoutStandbysHasItsShareAtOnce(t *testing.T) {
	current := []assignor.Level{assignor.Current, assignor.Current, assignor.Current, assignor.Current}
	shares := assignor.Assign([]assignor.Member{
		{Name: "a", Owned: []int32{0, 1, 2, 3}, Has: current},
		{Name: "b", NoStandbys: true},
	}, 4, 2)
	if len(shares[1].Owned) != 2 || len(shares[1].Standbys) != 0 || len(shares[0].Standbys) != 2 {
		t.Errorf("the shares are %+v", shares)
	}
}

// Given replicas that keep no standbys, when a shard has been given up for another one, then it goes there, and not
// back.
func TestWithoutStandbysAShardGoesWhereBalanceWantsIt(t *testing.T) {
	shares := assignor.Assign([]assignor.Member{
		{Name: "a", Owned: []int32{0}, Has: []assignor.Level{assignor.Current, assignor.Recent}, NoStandbys: true},
		{Name: "b", NoStandbys: true},
	}, 2, 2)
	if want := []int32{1}; !slices.Equal(shares[1].Owned, want) {
		t.Errorf("b owns %v, want %v", shares[1].Owned, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
