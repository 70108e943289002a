package assignor

import "cmp"

// chooseStandbys has each shard have as many standbys as are wanted, on members other than its owner. Who keeps one now
// goes on, unless another member has fewer standbys by two or more.
func (p *plan) chooseStandbys() {
	if p.wanted == 0 {
		return
	}
	for s := range p.shards {
		if t := p.target[s]; t != p.owns[s] && p.mayKeep(t, s) {
			p.add(t, s)
			p.awaited[t][s] = true
		}
	}
	for _, surplus := range []bool{false, true} { // where there is a choice, those with few standbys are chosen
		for s := range p.shards {
			if (p.currentOf(s) > p.wanted) == surplus {
				p.goOn(s)
			}
		}
	}
	for s := range p.shards {
		for p.standbysOf(s) < p.wanted {
			m := p.lightest(s)
			if m == nobody {
				break
			}
			p.add(m, s)
		}
	}
	p.balance()
}

// currentOf is how many members other than its owner have a current checkpoint of a shard.
func (p *plan) currentOf(s int) (n int) {
	for m := range p.members {
		n += btoi(p.level(m, s) == Current && p.owns[s] != m)
	}
	return n
}

// goOn has members that keep a standby of a shard go on with it, as many as are wanted.
func (p *plan) goOn(s int) {
	for _, m := range p.ranked(s, func(a, b int) int { return cmp.Compare(p.load[a], p.load[b]) }) {
		if p.standbysOf(s) < p.wanted && p.level(m, s) == Current && p.mayKeep(m, s) {
			p.add(m, s)
		}
	}
}

// mayKeep reports whether a member can begin to keep a standby of a shard.
func (p *plan) mayKeep(m, s int) bool {
	return !p.members[m].NoStandbys && p.owns[s] != m && !p.standby[m][s]
}

func (p *plan) add(m, s int) {
	p.standby[m][s] = true
	p.load[m]++
	p.pairs[p.owns[s]][m]++
}

func (p *plan) remove(m, s int) {
	p.standby[m][s] = false
	p.load[m]--
	p.pairs[p.owns[s]][m]--
}

func (p *plan) standbysOf(s int) (n int) {
	for m := range p.members {
		n += btoi(p.standby[m][s])
	}
	return n
}

// lightest is the member with the fewest standbys that can keep one of a shard. Of equal ones it has the best
// checkpoint, and then the fewest of the same owner's shards, so that these spread when the owner fails.
func (p *plan) lightest(s int) int {
	for _, m := range p.ranked(s, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.load[a], p.load[b]), cmp.Compare(p.level(b, s), p.level(a, s)),
			cmp.Compare(p.pairs[p.owns[s]][a], p.pairs[p.owns[s]][b]))
	}) {
		if p.mayKeep(m, s) {
			return m
		}
	}
	return nobody
}

// balance moves standbys until no member that keeps any has more than one more than another, as far as that is
// possible.
func (p *plan) balance() {
	for {
		from, to := p.extremes()
		if from == nobody || p.load[from]-p.load[to] < 2 || !p.shift(from) {
			return
		}
	}
}

// extremes are the members with the most and the fewest standbys.
func (p *plan) extremes() (most, fewest int) {
	most, fewest = nobody, nobody
	for m := range p.members {
		if p.members[m].NoStandbys {
			continue
		}
		if most == nobody || p.load[m] > p.load[most] {
			most = m
		}
		if fewest == nobody || p.load[m] < p.load[fewest] {
			fewest = m
		}
	}
	return most, fewest
}

// shift moves one standby away from a member, along the shortest way to one that has fewer by two or more. Each member
// on the way hands one on, and gets one. It is false where there is no way.
func (p *plan) shift(from int) bool {
	type hop struct{ before, shard int }
	reached := map[int]hop{from: {nobody, nobody}}
	for queue := []int{from}; len(queue) > 0; queue = queue[1:] {
		m := queue[0]
		if p.load[from]-p.load[m] >= 2 {
			for m != from {
				h := reached[m]
				p.remove(h.before, h.shard)
				p.add(m, h.shard)
				m = h.before
			}
			return true
		}
		for to := range p.members {
			if _, seen := reached[to]; seen {
				continue
			}
			if s := p.handsOn(m, to); s != nobody {
				reached[to] = hop{m, s}
				queue = append(queue, to)
			}
		}
	}
	return false
}

// handsOn is the standby that a member would hand to another with the least loss: the other one has a checkpoint, or
// both have none. Then those of owners of whose shards the other one has few.
func (p *plan) handsOn(m, to int) int {
	best := nobody
	better := func(a, b int) bool {
		return cmp.Or(
			cmp.Compare(p.level(to, b), p.level(to, a)), cmp.Compare(p.level(m, a), p.level(m, b)),
			cmp.Compare(p.pairs[p.owns[a]][to]-p.pairs[p.owns[a]][m], p.pairs[p.owns[b]][to]-p.pairs[p.owns[b]][m]),
			cmp.Compare(p.hash(to, a), p.hash(to, b)),
		) < 0
	}
	for s := range p.shards {
		if p.standby[m][s] && !p.awaited[m][s] && p.mayKeep(to, s) && (best == nobody || better(s, best)) {
			best = s
		}
	}
	return best
}

// keepUntilReplaced has members go on with standbys that move away, until those that replace them are current.
func (p *plan) keepUntilReplaced() {
	for s := range p.shards {
		current := 0
		for m := range p.members {
			current += btoi(p.standby[m][s] && p.level(m, s) == Current)
		}
		kept := false
		for _, m := range p.ranked(s, func(int, int) int { return 0 }) {
			if current < p.standbysOf(s) && p.level(m, s) == Current && p.mayKeep(m, s) {
				p.extra[m][s], kept = true, true
				current++
			}
		}
		for m := range p.members {
			p.awaited[m][s] = p.awaited[m][s] || kept && p.standby[m][s] && p.level(m, s) < Current
		}
	}
}
