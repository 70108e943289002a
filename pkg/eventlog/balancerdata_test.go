package eventlog

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Given an assignment of which the part on standbys cannot be read, then the replica keeps all of them; one that cannot
// be read at all is an error. Members whose data cannot be read have no checkpoints.
func TestWhatTheGroupCannotRead(t *testing.T) {
	o := &Ownership{topic: "shards", changed: make(chan struct{}, 1)}
	o.opts.Standbys = 2
	o.opts.Checkpoints = func(func(int32) bool) Checkpoints { return Checkpoints{Current: []int32{0}} }
	b := &standbyBalancer{o}
	var a kmsg.ConsumerMemberAssignment
	a.UserData = []byte("not JSON")
	if _, err := b.ParseSyncAssignment(a.AppendTo(nil)); err != nil || !o.Standbys().All {
		t.Errorf("%+v, %v", o.Standbys(), err)
	}
	if _, err := b.ParseSyncAssignment([]byte{0}); err == nil {
		t.Error("half an assignment is taken")
	}
	good := kmsg.NewJoinGroupResponseMember()
	good.MemberID, good.ProtocolMetadata = "good", b.JoinGroupMetadata([]string{"shards"}, nil, 1)
	bad := kmsg.NewJoinGroupResponseMember()
	bad.MemberID = "bad"
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version, meta.Topics, meta.UserData = 3, []string{"shards"}, []byte("not JSON")
	bad.ProtocolMetadata = meta.AppendTo(nil)
	group, topics, err := b.MemberBalancer([]kmsg.JoinGroupResponseMember{bad, good})
	if err != nil || len(topics) != 1 {
		t.Fatal(topics, err)
	}
	plan, err := group.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"shards": 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, share := range plan.IntoSyncAssignment() {
		shards, err := b.ParseSyncAssignment(share.MemberAssignment)
		if owns := len(shards["shards"]) == 1; err != nil || owns != (share.MemberID == "good") {
			t.Errorf("%s owns %v, %v", share.MemberID, shards, err)
		}
		if keeps := o.Standbys().Keeps(0); keeps != (share.MemberID == "bad") {
			t.Errorf("%s keeps %+v", share.MemberID, o.Standbys())
		}
	}
}
