// Package assignor says which replica owns each shard, and which replicas keep a standby of it: a checkpoint near the
// log's end, with which they can take the shard over at once. One replica of the group computes it for all.
//
// Owners are balanced, and so are standbys. A shard goes to a replica whose checkpoint of it is current, where there is
// one, even if that replica has more shards than others then. Where balance wants a shard elsewhere, its owner keeps it
// until the replica that is to have it has built a current checkpoint, and has said so.
package assignor

import (
	"cmp"
	"hash/fnv"
	"slices"
)

// Level is what a replica has of a shard.
type Level uint8

// Levels, the worst one first.
const (
	// None: there is no checkpoint.
	None Level = iota
	// Old: there is a checkpoint, and nobody has brought it near the log's end lately.
	Old
	// Late: it was near the log's end a minute ago at most.
	Late
	// Recent: it is Late, and the replica has just been started again. That is good enough for a shard that nobody serves,
	// so that a replica which comes back at once gets its shards again, and not for one that somebody serves.
	Recent
	// Current: the checkpoint follows the log's end, or the replica serves the shard.
	Current
)

// Member is what the group knows of one replica.
type Member struct {
	// Name is unique. Of equal choices its hash with the shard decides, so that all are spread.
	Name string
	// Owned are the shards that it owns now. A shard has one owner.
	Owned []int32
	// Has is, by shard, what it has of the shard; shards beyond its end: nothing.
	Has []Level
	// NoStandbys: it does not keep any.
	NoStandbys bool
}

// Share is what one member is to do.
type Share struct {
	// Owned are the shards that it is to own, and Standbys those of which it is to keep a standby.
	Owned, Standbys []int32
	// Awaited are those standbys for which the group waits: once they are current, shards move. Who keeps them says then
	// that they are.
	Awaited []int32
}

// nobody stands for no member.
const nobody = -1

// plan is an assignment that is being made. Members and shards are numbers.
type plan struct {
	members []Member
	shards  int
	wanted  int // standbys of each shard

	owner  []int // by shard: who owns it now
	target []int // by shard: who owns it when all checkpoints are current
	owns   []int // by shard: who is to own it from now on

	standby [][]bool // by member and shard: it is to keep a standby
	extra   [][]bool // by member and shard: it keeps one until those that replace it are current
	awaited [][]bool // by member and shard
	load    []int    // by member: standbys, without the extra ones
	pairs   [][]int  // by owner and member: standbys that the member keeps of the owner's shards
}

// Assign spreads the shards over the members, which are in any order, with so many standbys of each shard, or as many
// as there are other members. The shares are in the order of the members. The same members always get the same shares.
func Assign(members []Member, shards int32, standbys int) []Share {
	if len(members) == 0 {
		return nil
	}
	order := make([]int, len(members))
	for m := range order {
		order[m] = m
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(members[a].Name, members[b].Name) })
	sorted := make([]Member, len(members))
	for i, m := range order {
		sorted[i] = members[m]
	}
	p := newPlan(sorted, int(shards), standbys)
	p.aim()
	p.chooseOwners()
	p.chooseStandbys()
	p.keepUntilReplaced()
	shares := make([]Share, len(members))
	for i, m := range order {
		shares[m] = p.share(i)
	}
	return shares
}

func newPlan(members []Member, shards, standbys int) *plan {
	p := &plan{
		members: members, shards: shards, owner: filled(shards), target: filled(shards), owns: filled(shards),
		standby: matrix[bool](len(members), shards), extra: matrix[bool](len(members), shards),
		awaited: matrix[bool](len(members), shards), load: make([]int, len(members)),
		pairs: matrix[int](len(members), len(members)),
	}
	keepers := 0
	for m, member := range members {
		if !member.NoStandbys {
			keepers++
		}
		for _, s := range member.Owned {
			if int(s) < shards && p.owner[s] == nobody {
				p.owner[s] = m
			}
		}
	}
	if keepers > 0 {
		p.wanted = max(0, standbys)
	}
	return p
}

func filled(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = nobody
	}
	return s
}

func matrix[T any](rows, columns int) [][]T {
	m := make([][]T, rows)
	for i := range m {
		m[i] = make([]T, columns)
	}
	return m
}

// level is what a member has of a shard.
func (p *plan) level(m, s int) Level {
	if has := p.members[m].Has; s < len(has) {
		return has[s]
	}
	return None
}

// hash orders members for a shard where nothing else does.
func (p *plan) hash(m, s int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.members[m].Name))
	_, _ = h.Write([]byte{byte(s), byte(s >> 8), byte(s >> 16), byte(s >> 24)})
	x := h.Sum64() // FNV's low bits of similar names are similar: mix them
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	return x ^ x>>27
}

// ranked are the members in the order in which a shard prefers them, by less and then by hash.
func (p *plan) ranked(s int, less func(a, b int) int) []int {
	all := make([]int, len(p.members))
	for m := range all {
		all[m] = m
	}
	slices.SortFunc(all, func(a, b int) int { return cmp.Or(less(a, b), cmp.Compare(p.hash(a, s), p.hash(b, s))) })
	return all
}

// share is what a member is to do.
func (p *plan) share(m int) (share Share) {
	for s := range p.shards {
		if p.owns[s] == m {
			share.Owned = append(share.Owned, int32(s))
		}
		if p.standby[m][s] || p.extra[m][s] {
			share.Standbys = append(share.Standbys, int32(s))
		}
		if p.awaited[m][s] {
			share.Awaited = append(share.Awaited, int32(s))
		}
	}
	return share
}
