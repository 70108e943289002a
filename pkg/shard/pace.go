package shard

import "time"

// paceMemory is over how long the pace of a shard is smoothed.
const paceMemory = time.Second

// pace is how long a shard takes for a command while others wait.
//
// It is measured only then: a shard that has little to do commits a few commands at a time, and would do many more in
// the same time.
type pace struct {
	perCommand time.Duration // 0: unknown, nobody has had to wait yet
	lastServed time.Time
	backlog    bool          // commands have waited since then
	busy       time.Duration // since the last commit with commands
}

// served notes a commit with so many commands. backlog: others wait.
func (p *pace) served(commands int, backlog bool, now time.Time) {
	if p.backlog {
		p.busy += now.Sub(p.lastServed)
	} else {
		p.busy = 0
	}
	if p.backlog && commands > 0 {
		took := p.busy / time.Duration(commands)
		if p.perCommand == 0 {
			p.perCommand = took
		} else {
			p.perCommand += time.Duration(float64(took-p.perCommand) * float64(p.busy) / float64(p.busy+paceMemory))
		}
		p.busy = 0
	}
	p.lastServed, p.backlog = now, backlog
}
