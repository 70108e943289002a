package access

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/logtest"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

var layout = eventlog.Layout{PartitionCount: 1, ShardCount: 1}

// follow opens keys that follow the log until the test ends, and waits until they are read.
func follow(t testing.TB, log *logtest.Log, cfg eventlog.Config) *Keys {
	t.Helper()
	keys, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	log.Background(keys.Run)
	if err := keys.AwaitReady(log.Ctx); err != nil {
		t.Fatal(err)
	}
	return keys
}

func create(t testing.TB, keys *Keys, n NewKey) (text string, key *Key) {
	t.Helper()
	text, key, err := keys.Create(logtest.Context(t), n)
	if err != nil {
		t.Fatal(err)
	}
	return text, key
}

func shop() NewKey {
	return NewKey{Name: "shop", Scopes: OrdersWrite | OrdersRead, By: Principal{Name: "alice"}}
}

// Every replica knows a new key, and a revoked one, within a second. One that starts later knows both.
func TestEveryReplicaKnowsAKeyWithinASecond(t *testing.T) {
	log := logtest.New(t, layout)
	one, two := follow(t, log, log.Config), follow(t, log, log.Config)
	text, made := create(t, one, shop())
	within := func(what string, isTrue func() bool) {
		t.Helper()
		begin := time.Now()
		log.Eventually(what, isTrue)
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%s: only after %v", what, took)
		}
	}
	within("the other replica takes the key", func() bool { _, err := two.Find(text); return err == nil })
	other, _ := two.Find(text)
	if other.ID != made.ID || other.Name != "shop" || other.Scopes != OrdersWrite|OrdersRead ||
		other.CreatedBy.Name != "alice" || !other.ExpiresAt.IsZero() {
		t.Errorf("%+v", other)
	}
	if found, err := one.Revoke(log.Ctx, made.ID, Principal{Name: "bob"}); !found || err != nil {
		t.Fatal(found, err)
	}
	if _, err := one.Find(text); !errors.Is(err, ErrRevoked) {
		t.Errorf("the replica that revoked it: %v", err)
	}
	refused := func() bool { _, err := two.Find(text); return errors.Is(err, ErrRevoked) }
	within("the other replica refuses the key", refused)
	if two.IsValid(other) {
		t.Error("who has the key still takes it for valid")
	}
	late := follow(t, log, log.Config)
	if key := late.Key(made.ID); key.Status(time.Now()) != Revoked || key.RevokedBy.Name != "bob" {
		t.Errorf("%+v", key)
	}
}

// Before the topic was read to its end, nobody is let in, and nobody is told that his key is wrong.
func TestNoKeyIsJudgedBeforeAllAreRead(t *testing.T) {
	log := logtest.New(t, layout)
	text, _ := create(t, follow(t, log, log.Config), shop())
	keys, err := Open(log.Config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Find(text); !errors.Is(err, ErrNotRead) || keys.Ready() == nil {
		t.Errorf("%v; ready: %v", err, keys.Ready())
	}
	log.Background(keys.Run)
	if err := keys.AwaitReady(log.Ctx); err != nil || keys.Ready() != nil {
		t.Fatal(err, keys.Ready())
	}
	if _, err := keys.Find(text); err != nil {
		t.Error(err)
	}
}

// Without the topic a service is not ready, and says why; it goes on by itself.
func TestAMissingTopicIsToldOf(t *testing.T) {
	log := logtest.New(t, layout)
	log.DeleteTopic(eventlog.TopicKeys)
	keys, err := Open(log.Config)
	if err != nil {
		t.Fatal(err)
	}
	log.Background(keys.Run)
	log.Eventually("the reason is told", func() bool {
		err := keys.Ready()
		return err != nil && strings.HasPrefix(err.Error(), "the API keys: ")
	})
	ctx, cancel := context.WithCancel(log.Ctx)
	cancel()
	if err := keys.AwaitReady(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := log.Client.EnsurePlatform(log.Ctx, layout); err != nil {
		t.Fatal(err)
	}
	if err := keys.AwaitReady(log.Ctx); err != nil {
		t.Error(err)
	}
}

// Several keys are taken at a time, so that one can take the place of another. One that expires is refused.
func TestKeysExpireAndRotate(t *testing.T) {
	log := logtest.New(t, layout)
	keys := follow(t, log, log.Config)
	first, _ := create(t, keys, shop())
	second, _ := create(t, keys, shop())
	brief := shop()
	brief.ExpiresAt = time.Now().Add(300 * time.Millisecond)
	third, expiring := create(t, keys, brief)
	for _, text := range []string{first, second, third} {
		if _, err := keys.Find(text); err != nil {
			t.Error(err)
		}
	}
	log.Eventually("it expires", func() bool { _, err := keys.Find(third); return errors.Is(err, ErrExpired) })
	now := time.Now()
	if keys.IsValid(expiring) || expiring.Status(now) != Expired || expiring.Status(now.Add(-time.Hour)) != Active {
		t.Errorf("%+v", expiring)
	}
	if all := keys.All(); len(all) != 3 || all[2].ID != expiring.ID {
		t.Errorf("%v", all)
	}
}

// Every kind of text that is no key, or none any more, is refused.
func TestBadKeysAreRefused(t *testing.T) {
	log := logtest.New(t, layout)
	keys := follow(t, log, log.Config)
	text, key := create(t, keys, shop())
	foreign, _ := newText(keys.Env())
	secret := text[len(text)-checksumLength-secretLength:]
	next := func(digit byte) string { return string(base62[(strings.IndexByte(base62, digit)+1)%len(base62)]) }
	for name, bad := range map[string]string{
		"nothing":                      "",
		"the prefix":                   "hf_",
		"the ID":                       key.ID,
		"without a secret":             strings.TrimSuffix(text, secret),
		"the secret of another":        text[:len(text)-len(secret)] + foreign[len(foreign)-len(secret):],
		"never made":                   foreign,
		"one character less":           text[:len(text)-1],
		"one character more":           text + "0",
		"another case":                 strings.ToUpper(text),
		"another environment":          strings.Replace(text, keys.Env(), "other", 1),
		"a wrong checksum":             text[:len(text)-1] + next(text[len(text)-1]),
		"a space before":               " " + text,
		"a space after":                text + " ",
		"a NUL":                        text[:len(text)-1] + "\x00",
		"very long":                    text + strings.Repeat("a", 1<<16),
		"its hash":                     string(key.hash[:]),
		"no prefix, of a key's length": strings.Repeat("_", len(text)),
	} {
		if got, err := keys.Find(bad); got != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := keys.Find(text); err != nil {
		t.Error(err)
	}
}

// A request that is sent again makes no second key, on another replica and at the same time neither.
func TestARequestMakesOneKey(t *testing.T) {
	log := logtest.New(t, layout)
	one, two := follow(t, log, log.Config), follow(t, log, log.Config)
	n := shop()
	n.Request = "r-1"
	results := make(chan error, 2)
	for _, keys := range []*Keys{one, two} {
		go func() { _, _, err := keys.Create(log.Ctx, n); results <- err }()
	}
	var repeated *RepeatedError
	if a, b := <-results, <-results; (a == nil) == (b == nil) || !errors.As(errors.Join(a, b), &repeated) {
		t.Fatalf("%v, %v", a, b)
	}
	if all := one.All(); len(all) != 1 || repeated.Key.ID != all[0].ID {
		t.Errorf("%v; repeated: %+v", all, repeated.Key)
	}
	if _, _, err := one.Create(log.Ctx, n); !errors.As(err, &repeated) || !strings.Contains(err.Error(), repeated.Key.ID) {
		t.Error(err)
	}
}

func TestWhatAKeyNeedsIsChecked(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*NewKey)
		member string
	}{
		"no name":      {func(n *NewKey) { n.Name = "" }, "name"},
		"control":      {func(n *NewKey) { n.Name = "a\nb" }, "name"},
		"long":         {func(n *NewKey) { n.Name = strings.Repeat("a", 101) }, "name"},
		"no scope":     {func(n *NewKey) { n.Scopes = 0 }, "scopes"},
		"expired":      {func(n *NewKey) { n.ExpiresAt = time.Now().Add(-time.Second) }, "expires_at"},
		"nothing else": {func(*NewKey) {}, ""},
	} {
		n := shop()
		test.change(&n)
		fault, _ := errors.AsType[*Fault](n.Check(time.Now()))
		if (fault == nil) != (test.member == "") || fault != nil && fault.Member != test.member {
			t.Errorf("%s: %v", name, fault)
		}
	}
	log := logtest.New(t, layout)
	keys := follow(t, log, log.Config)
	if _, _, err := keys.Create(log.Ctx, NewKey{}); err == nil {
		t.Error("a key without a name was made")
	}
	if found, err := keys.Revoke(log.Ctx, "nowhere", Principal{}); found || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// There are not more active keys than the limit; revoked and expired ones do not count.
func TestActiveKeysAreBounded(t *testing.T) {
	now := time.Now()
	s := &state{byID: map[string]*Key{}, byRequest: map[string]string{}}
	for range MaxActiveKeys {
		_, id := newText("shop")
		s.apply(&eventv1.KeyChange{KeyId: id, Change: &eventv1.KeyChange_Created{Created: created()}})
	}
	log := logtest.New(t, layout)
	keys := follow(t, log, log.Config)
	keys.state.Store(s)
	if _, _, err := keys.Create(log.Ctx, shop()); !errors.As(err, new(*TooManyKeysError)) {
		t.Error(err)
	}
	s = s.clone()
	s.apply(&eventv1.KeyChange{KeyId: s.order[0], ChangedAtMicros: 1, Change: &eventv1.KeyChange_Revoked{}})
	if n := s.active(now); n != MaxActiveKeys-1 {
		t.Errorf("%d are active", n)
	}
}

func created() *eventv1.KeyCreated {
	return &eventv1.KeyCreated{Name: "shop", Sha256: make([]byte, len(hash{})), Scopes: []string{"orders:read"}}
}

// What a later release has written of a key may limit it: this release refuses the key then, and says so. A scope that
// it does not know allows nothing. What is no change at all is passed.
func TestALaterReleaseIsNotMisread(t *testing.T) {
	limited, unknown := created(), created()
	limited.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1))
	unknown.Scopes = []string{"orders:read", "moon:land"}
	log := logtest.New(t, layout)
	write := func(change *eventv1.KeyChange) {
		t.Helper()
		value, err := change.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		log.Write(eventlog.TopicKeys, 0, change.KeyId, value)
	}
	log.Write(eventlog.TopicKeys, 0, "", []byte("no change"))
	write(&eventv1.KeyChange{KeyId: "limited", Change: &eventv1.KeyChange_Created{Created: limited}})
	write(&eventv1.KeyChange{KeyId: "changed", Change: &eventv1.KeyChange_Created{Created: created()}})
	write(&eventv1.KeyChange{KeyId: "changed"})
	write(&eventv1.KeyChange{KeyId: "unknown", Change: &eventv1.KeyChange_Created{Created: unknown}})
	write(&eventv1.KeyChange{KeyId: "nowhere"})
	keys := follow(t, log, log.Config)
	for id, want := range map[string]Status{"limited": Unreadable, "changed": Unreadable, "unknown": Active} {
		if key := keys.Key(id); key.Status(time.Now()) != want {
			t.Errorf("%s is %s", id, key.Status(time.Now()))
		}
	}
	if key := keys.Key("unknown"); key.Scopes != OrdersRead || keys.Key("nowhere") != nil {
		t.Errorf("%v, %v", key.Scopes, keys.Key("nowhere"))
	}
}

// Neither the log of the process, nor metrics, nor the topic have a key or its secret.
func TestNobodyKeepsTheSecret(t *testing.T) {
	log := logtest.New(t, layout)
	var lines strings.Builder
	registry := prometheus.NewRegistry()
	cfg := log.Config
	cfg.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg.Registerer = registry
	keys := follow(t, log, cfg)
	text, key := create(t, keys, shop())
	if _, err := keys.Find(text); err != nil {
		t.Fatal(err)
	}
	keys.Refused(ErrUnknown)
	if _, err := keys.Revoke(log.Ctx, key.ID, Principal{}); err != nil {
		t.Fatal(err)
	}
	_, _ = keys.Find(text)
	var everything strings.Builder
	everything.WriteString(lines.String())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		everything.WriteString(family.String())
	}
	changes := eventlog.TopicPartition{Topic: eventlog.TopicKeys}
	end, err := log.Client.EndOffsets(log.Ctx, []eventlog.TopicPartition{changes})
	if err != nil {
		t.Fatal(err)
	}
	err = log.Client.Read(log.Ctx, eventlog.Offsets{changes: 0}, end, func(rec *eventlog.Record) error {
		everything.Write(rec.Key)
		everything.Write(rec.Value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	secret := text[len(text)-checksumLength-secretLength : len(text)-checksumLength]
	if !strings.Contains(everything.String(), key.ID) || strings.Contains(everything.String(), secret[:20]) {
		t.Errorf("the secret %s, or not the ID %s, is in\n%s", secret, key.ID, everything.String())
	}
}

// When a key was used last is a metric of each process; a key that is revoked has it no more.
func TestTheLastUseIsMeasured(t *testing.T) {
	log := logtest.New(t, layout)
	registry := prometheus.NewRegistry()
	cfg := log.Config
	cfg.Registerer = registry
	keys := follow(t, log, cfg)
	const name = "holdfast_access_key_last_used_timestamp_seconds"
	text, key := create(t, keys, shop())
	if _, series := logtest.Metric(t, registry, name); series != 0 {
		t.Errorf("%d keys were used", series)
	}
	begin := time.Now().Unix()
	if _, err := keys.Find(text); err != nil {
		t.Fatal(err)
	}
	if at, series := logtest.Metric(t, registry, name); series != 1 || at < float64(begin) {
		t.Errorf("%d keys were used, at %f", series, at)
	}
	if _, err := keys.Revoke(log.Ctx, key.ID, Principal{}); err != nil {
		t.Fatal(err)
	}
	if _, series := logtest.Metric(t, registry, name); series != 0 {
		t.Errorf("%d keys were used", series)
	}
}

// To find a key takes no allocation.
func TestFindDoesNotAllocate(t *testing.T) {
	log := logtest.New(t, layout)
	keys := follow(t, log, log.Config)
	text, _ := create(t, keys, shop())
	if n := testing.AllocsPerRun(100, func() { _, _ = keys.Find(text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFind(b *testing.B) {
	log := logtest.New(b, layout)
	keys := follow(b, log, log.Config)
	text, _ := create(b, keys, shop())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Find(text); err != nil {
			b.Fatal(err)
		}
	}
}
