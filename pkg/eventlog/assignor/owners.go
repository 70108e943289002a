package assignor

import (
	"cmp"
	"slices"
)

// aim finds balanced owners: each member has as many shards as any other, or one more. A member keeps what it has, up
// to that. What is left goes to members that have a checkpoint of it, as far as that goes.
func (p *plan) aim() {
	owned := make([][]int, len(p.members))
	for s, m := range p.owner {
		if m != nobody {
			owned[m] = append(owned[m], s)
		}
	}
	quota := p.quotas(owned)
	room := make([]int, len(p.members)) // after what members keep
	for m := range p.members {
		keep := owned[m]
		if len(keep) > quota[m] {
			p.sortToKeep(m, keep, quota, owned)
			keep = keep[:quota[m]]
		}
		for _, s := range keep {
			p.target[s] = m
		}
		room[m] = quota[m] - len(keep)
	}
	p.match(room)
}

// quotas are how many shards each member is to own. Those that own the most now have the one more.
func (p *plan) quotas(owned [][]int) []int {
	quota := make([]int, len(p.members))
	order := make([]int, len(p.members))
	for m := range order {
		order[m] = m
		quota[m] = p.shards / len(p.members)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(len(owned[b]), len(owned[a])) })
	for _, m := range order[:p.shards%len(p.members)] {
		quota[m]++
	}
	return quota
}

// sortToKeep orders the shards of a member that has too many: those first that it serves, and that no member with room
// could take over at once.
func (p *plan) sortToKeep(m int, shards, quota []int, owned [][]int) {
	elsewhere := func(s int) (best Level) {
		for other := range p.members {
			if len(owned[other]) < quota[other] {
				best = max(best, p.level(other, s))
			}
		}
		return best
	}
	slices.SortStableFunc(shards, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.level(m, b), p.level(m, a)), cmp.Compare(elsewhere(a), elsewhere(b)))
	})
}

// matching gives shards without a target to members with room, by augmenting paths: a shard may push another one out,
// if that finds an equally good member.
type matching struct {
	*plan
	room  []int
	has   [][]int // by member: the shards that it was given
	least []Level // by shard: the level at which it was given
}

func (p *plan) match(room []int) {
	m := &matching{p, room, make([][]int, len(p.members)), make([]Level, p.shards)}
	for _, least := range []Level{Current, Recent, Late, Old, None} {
		for s := range p.shards {
			if p.target[s] == nobody {
				m.place(s, least, make([]bool, len(p.members)))
			}
		}
	}
}

// place finds a member for a shard that has at least so much of it.
func (m *matching) place(s int, least Level, seen []bool) bool {
	candidates := m.ranked(s, func(a, b int) int {
		return cmp.Compare(m.room[b]-len(m.has[b]), m.room[a]-len(m.has[a]))
	})
	for _, c := range candidates {
		if seen[c] || m.room[c] == 0 || m.level(c, s) < least {
			continue
		}
		seen[c] = true
		if len(m.has[c]) == m.room[c] && !m.pushOut(c, seen) {
			continue
		}
		m.has[c] = append(m.has[c], s)
		m.target[s], m.least[s] = c, least
		return true
	}
	return false
}

// pushOut moves one of the shards that a member was given to another member.
func (m *matching) pushOut(c int, seen []bool) bool {
	for _, other := range slices.Clone(m.has[c]) {
		if m.place(other, m.least[other], seen) {
			m.has[c] = slices.DeleteFunc(m.has[c], func(s int) bool { return s == other })
			return true
		}
	}
	return false
}

// chooseOwners has each shard go to its target at once where that one can serve it as soon as its owner. Otherwise its
// owner keeps it. A shard that nobody serves goes to its target if that one has little to read, or else to the one with
// the best checkpoint.
func (p *plan) chooseOwners() {
	owns := make([]int, len(p.members))
	var later []int
	for s, t := range p.target {
		o := p.owner[s]
		served := o != nobody && p.level(o, s) == Current
		switch {
		case p.wanted == 0 || p.members[t].NoStandbys: // it does not build a checkpoint before
			p.owns[s] = t
		case served && p.level(t, s) < Current:
			p.owns[s] = o
		case served, p.level(t, s) >= min(p.best(s), Recent):
			p.owns[s] = t
		default:
			later = append(later, s)
			continue
		}
		owns[p.owns[s]]++
	}
	for _, s := range later {
		best := p.best(s)
		p.owns[s] = p.ranked(s, func(a, b int) int {
			return cmp.Or(cmp.Compare(btoi(p.level(a, s) < best), btoi(p.level(b, s) < best)), cmp.Compare(owns[a], owns[b]))
		})[0]
		owns[p.owns[s]]++
	}
}

// best is the most that any member has of a shard.
func (p *plan) best(s int) (best Level) {
	for m := range p.members {
		best = max(best, p.level(m, s))
	}
	return best
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
