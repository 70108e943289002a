package eventlog

import (
	"encoding/json"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/holdfast/holdfast/pkg/eventlog/assignor"
)

// standbyProtocol is the name of the group's protocol that knows standbys. Members of a release without it, and members
// with it, agree on Kafka's cooperative-sticky, which all offer.
const standbyProtocol = "holdfast-standbys"

// Checkpoints are the shards of which a replica has a checkpoint. The others it knows nothing of.
type Checkpoints struct {
	// Current follow the log's end, so that the replica could take these shards over at once, or serves them. Late were
	// there a minute ago at most, and so were Recent, of a process that has just been started again. Old is any other.
	Current, Recent, Late, Old []int32
}

// Standbys are the shards of which the group tells this replica to keep a standby.
type Standbys struct {
	// All: of each shard that it does not own. The group has members of a release that tells nothing.
	All bool
	// Shards are those to keep otherwise. The group waits for those of Awaited, which it moves shards by: Report is due
	// when their checkpoints are current.
	Shards, Awaited []int32
}

// Keeps reports whether a standby of the shard is to be kept.
func (s Standbys) Keeps(shard int32) bool { return s.All || slices.Contains(s.Shards, shard) }

// Standbys is what the group has told last. It is empty before the group has told anything.
func (o *Ownership) Standbys() Standbys {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.standbys
}

// Changed has a value after the group has told which standbys to keep, or which shards to own.
func (o *Ownership) Changed() <-chan struct{} { return o.changed }

// Report tells the group again what checkpoints this replica has, so that it moves shards. Nothing is awaited then
// until the group has told of it again.
func (o *Ownership) Report() {
	o.mu.Lock()
	o.standbys.Awaited = nil
	o.mu.Unlock()
	if kafka := o.member(); kafka != nil {
		kafka.ForceRebalance()
	}
}

func (o *Ownership) tell(s Standbys) {
	o.mu.Lock()
	o.standbys = s
	o.mu.Unlock()
	o.signalChange()
}

func (o *Ownership) signalChange() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// balancers are the protocols that this member offers, the one that it prefers first.
func (o *Ownership) balancers() []kgo.GroupBalancer {
	sticky := kgo.CooperativeStickyBalancer()
	if o.opts.Checkpoints == nil {
		return []kgo.GroupBalancer{sticky}
	}
	return []kgo.GroupBalancer{&standbyBalancer{o}, &stickyBalancer{sticky, o}}
}

// stickyBalancer is Kafka's, for groups with members of a release that knows no other.
type stickyBalancer struct {
	kgo.GroupBalancer
	o *Ownership
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b *stickyBalancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	shards, err := b.GroupBalancer.ParseSyncAssignment(assignment)
	if err == nil {
		b.o.tell(Standbys{All: true})
	}
	return shards, err
}

// standbyBalancer assigns shards to owners, and standbys to the replicas that keep them. Shards move as with
// cooperative-sticky: an owner has given a shard up before another member gets it.
//
// It puts JSON into the fields that Kafka's consumer protocol has for an assignor's own data: memberData as a member
// joins, and standbyData with its assignment.
type standbyBalancer struct{ o *Ownership }

// memberData is what a member tells of its checkpoints. Its shards are those of Checkpoints.
type memberData struct {
	Current    []int32 `json:"current,omitempty"`
	Recent     []int32 `json:"recent,omitempty"`
	Late       []int32 `json:"late,omitempty"`
	Old        []int32 `json:"old,omitempty"`
	NoStandbys bool    `json:"no_standbys,omitempty"`
}

// standbyData is what a member is told. Its shards are those of Standbys.
type standbyData struct {
	Standbys []int32 `json:"standbys,omitempty"`
	Awaited  []int32 `json:"awaited,omitempty"`
}

// ProtocolName implements kgo.GroupBalancer.
func (*standbyBalancer) ProtocolName() string { return standbyProtocol }

// IsCooperative implements kgo.GroupBalancer.
func (*standbyBalancer) IsCooperative() bool { return true }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (b *standbyBalancer) JoinGroupMetadata(topics []string, owned map[string][]int32, generation int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics, meta.Generation = 3, topics, generation // version 3 has the generation
	if shards := owned[b.o.topic]; len(shards) > 0 {
		part := kmsg.NewConsumerMemberMetadataOwnedPartition()
		part.Topic, part.Partitions = b.o.topic, shards
		meta.OwnedPartitions = append(meta.OwnedPartitions, part)
	}
	has := b.o.opts.Checkpoints(b.o.Owned)
	meta.UserData = mustJSON(memberData{has.Current, has.Recent, has.Late, has.Old, b.o.opts.Standbys == 0})
	return meta.AppendTo(nil)
}

// mustJSON encodes numbers, which always succeeds.
func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b *standbyBalancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	shards, err := kgo.ParseConsumerSyncAssignment(assignment)
	if err != nil {
		return nil, err
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(assignment); err != nil {
		return nil, err
	}
	var data standbyData
	if json.Unmarshal(a.UserData, &data) != nil { // it keeps more than it need, and is right
		b.o.tell(Standbys{All: true})
	} else {
		b.o.tell(Standbys{Shards: data.Standbys, Awaited: data.Awaited})
	}
	return shards, nil
}

// MemberBalancer implements kgo.GroupBalancer.
func (b *standbyBalancer) MemberBalancer(
	members []kmsg.JoinGroupResponseMember,
) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	balancer, err := kgo.NewConsumerBalancer(b, members)
	return balancer, balancer.MemberTopics(), err
}

// Balance implements kgo.ConsumerBalancerBalance.
func (b *standbyBalancer) Balance(group *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	count := topics[b.o.topic]
	if b.o.shardCount > 0 {
		count = min(count, b.o.shardCount)
	}
	shares := assignor.Assign(b.members(group, count), count, b.o.opts.Standbys)
	plan := group.NewPlan()
	for i := range shares {
		member, _ := group.MemberAt(i)
		plan.AddPartitions(member, b.o.topic, slices.Clone(shares[i].Owned))
	}
	plan.AdjustCooperative(group)
	told := make(map[string]standbyData, len(shares))
	for i, share := range shares {
		member, _ := group.MemberAt(i)
		now := plan.AsMemberIDMap()[member.MemberID][b.o.topic]
		for _, shard := range share.Owned {
			if !slices.Contains(now, shard) { // until its former owner has given it up
				share.Standbys = append(share.Standbys, shard)
			}
		}
		slices.Sort(share.Standbys)
		told[member.MemberID] = standbyData{share.Standbys, share.Awaited}
	}
	return &standbyPlan{plan, told}
}

// members are what the group's members have told. Where two say that they own a shard, it is that of the newer
// generation of the group.
func (*standbyBalancer) members(group *kgo.ConsumerBalancer, count int32) []assignor.Member {
	var members []assignor.Member
	generations := make([]int32, count)
	owners := make([]int, count)
	group.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		var data memberData
		_ = json.Unmarshal(meta.UserData, &data) // whoever tells nothing that can be read has no checkpoints
		member := assignor.Member{Name: m.MemberID, Has: make([]assignor.Level, count), NoStandbys: data.NoStandbys}
		if m.InstanceID != nil {
			member.Name = *m.InstanceID
		}
		note(member.Has, data.Old, assignor.Old)
		note(member.Has, data.Late, assignor.Late)
		note(member.Has, data.Recent, assignor.Recent)
		note(member.Has, data.Current, assignor.Current)
		members = append(members, member)
		for _, part := range meta.OwnedPartitions {
			for _, shard := range part.Partitions {
				if shard < count && (owners[shard] == 0 || meta.Generation > generations[shard]) {
					owners[shard], generations[shard] = len(members), meta.Generation
				}
			}
		}
	})
	for shard, owner := range owners {
		if owner > 0 {
			members[owner-1].Owned = append(members[owner-1].Owned, int32(shard))
		}
	}
	return members
}

// note notes what a member has of some shards.
func note(has []assignor.Level, shards []int32, level assignor.Level) {
	for _, shard := range shards {
		if shard >= 0 && int(shard) < len(has) {
			has[shard] = level
		}
	}
}

// standbyPlan is an assignment with what each member is told of standbys.
type standbyPlan struct {
	*kgo.BalancePlan
	told map[string]standbyData // by member ID
}

// IntoSyncAssignment implements kgo.IntoSyncAssignment.
func (p *standbyPlan) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	all := p.BalancePlan.IntoSyncAssignment()
	for i := range all {
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(all[i].MemberAssignment); err != nil {
			panic(err) // it was encoded just now
		}
		a.UserData = mustJSON(p.told[all[i].MemberID])
		all[i].MemberAssignment = a.AppendTo(nil)
	}
	return all
}
