package engine_test

import (
	"fmt"
	"math"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/holdfast/holdfast/pkg/devstack/chdb/chdbtest"
)

// compressionMethods are those that client and gateway have in common.
var compressionMethods = []clickhouse.CompressionMethod{
	clickhouse.CompressionNone, clickhouse.CompressionLZ4, clickhouse.CompressionZSTD,
}

func withCompression(m clickhouse.CompressionMethod) func(*clickhouse.Options) {
	return func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: m} }
}

// typeSamples are values of every type that the platform uses, and of some others that are common.
var typeSamples = []struct {
	sqlType string
	values  []any
}{
	{"Int8", []any{int8(math.MinInt8), int8(7)}},
	{"Int64", []any{int64(math.MinInt64), int64(math.MaxInt64)}},
	{"UInt8", []any{uint8(0), uint8(255)}},
	{"UInt64", []any{uint64(0), uint64(math.MaxUint64)}},
	{"Int256", []any{*big.NewInt(-5), *new(big.Int).Lsh(big.NewInt(1), 200)}},
	{"Float64", []any{1.5, math.Inf(-1)}},
	{"Bool", []any{true, false}},
	{"Decimal(18, 4)", []any{
		decimal.RequireFromString("-12.3400"), decimal.RequireFromString("99999999999999.9999"),
	}},
	{"Decimal(38, 6)", []any{decimal.RequireFromString("0.000001"), decimal.RequireFromString("-1.000000")}},
	{"String", []any{"", "a\n\nb;\x00\xff'\"\\`"}},
	{"FixedString(3)", []any{"abc", "x\x00\n"}},
	{"Date", []any{time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)}},
	{"Date32", []any{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC)}},
	{"DateTime", []any{time.Unix(1, 0).UTC(), time.Unix(4_000_000_000, 0).UTC()}},
	{"DateTime64(3)", []any{time.UnixMilli(1_700_000_000_123).UTC(), time.UnixMilli(-1).UTC()}},
	{"DateTime64(6, 'UTC')", []any{time.UnixMicro(1_700_000_000_123_456).UTC(), time.UnixMicro(1).UTC()}},
	{"UUID", []any{uuid.MustParse("0190a5b0-7d1c-7000-8000-0123456789ab"), uuid.Nil}},
	{"Enum8('a' = 1, 'b c' = -2)", []any{"a", "b c"}},
	{"LowCardinality(String)", []any{"x", "y"}},
	{"Nullable(Int32)", []any{pointerTo(int32(5)), (*int32)(nil)}},
	{"LowCardinality(Nullable(String))", []any{pointerTo("x"), (*string)(nil)}},
	{"Array(UInt32)", []any{[]uint32{1, 2, 3}, []uint32{}}},
	{"Array(Array(String))", []any{[][]string{{"a"}, {}, {"b", "\n\n"}}, [][]string{}}},
	{"Map(String, Int64)", []any{map[string]int64{"a": 1, "b": -2}, map[string]int64{}}},
	{"Map(LowCardinality(String), Array(UInt8))", []any{map[string][]uint8{"a": {1}}, map[string][]uint8{}}},
	{"Tuple(Int64, String)", []any{[]any{int64(1), "x"}, []any{int64(2), ""}}},
}

func pointerTo[T any](v T) *T { return &v }

func TestTypesComeBackAsTheyWere(t *testing.T) {
	for _, method := range compressionMethods {
		t.Run(method.String(), func(t *testing.T) {
			conn := connect(t, chdbtest.Server(t), withCompression(method))
			for i, c := range typeSamples {
				table := fmt.Sprintf("types_%s_%d", method, i)
				execute(t, conn, "CREATE TABLE "+table+" (n UInt8, v "+c.sqlType+") ENGINE = MergeTree ORDER BY n")
				batch, err := conn.PrepareBatch(chdbtest.Context(t), "INSERT INTO "+table)
				if err != nil {
					t.Fatalf("%s: %v", c.sqlType, err)
				}
				for n, v := range c.values {
					if err := batch.Append(uint8(n), v); err != nil {
						t.Fatalf("%s: %v", c.sqlType, err)
					}
				}
				if err := batch.Send(); err != nil {
					t.Fatalf("%s: %v", c.sqlType, err)
				}
				for n, want := range c.values {
					got := reflect.New(reflect.TypeOf(want))
					row := conn.QueryRow(chdbtest.Context(t), "SELECT v FROM "+table+" WHERE n = {n:UInt8}",
						clickhouse.Named("n", fmt.Sprint(n)))
					if err := row.Scan(got.Interface()); err != nil {
						t.Errorf("%s: %v", c.sqlType, err)
					} else if !same(got.Elem().Interface(), want) {
						t.Errorf("%s: %v came back as %v", c.sqlType, want, got.Elem().Interface())
					}
				}
				execute(t, conn, "DROP TABLE "+table)
			}
		})
	}
}

func same(got, want any) bool {
	switch want := want.(type) {
	case decimal.Decimal:
		return got.(decimal.Decimal).Equal(want)
	case time.Time:
		return got.(time.Time).Equal(want)
	case big.Int:
		got := got.(big.Int)
		return got.Cmp(&want) == 0
	}
	return reflect.DeepEqual(got, want)
}

// Aggregate states can be stored in a table and merged later.
func TestAggregateStatesAreMergedAgain(t *testing.T) {
	conn := connect(t, chdbtest.Server(t), nil)
	execute(t, conn, "CREATE TABLE states (k UInt8, u AggregateFunction(uniqExact, UInt64), "+
		"s AggregateFunction(sum, Decimal(18, 2))) ENGINE = ReplacingMergeTree ORDER BY k")
	execute(t, conn, "INSERT INTO states SELECT number % 2, uniqExactState(number), "+
		"sumState(toDecimal64(number, 2)) FROM numbers(1000) GROUP BY 1")
	if n := scalar[uint64](t, conn, "SELECT uniqExactMerge(u) FROM states"); n != 1000 {
		t.Errorf("uniqExact is %d", n)
	}
	s := scalar[decimal.Decimal](t, conn, "SELECT sumMerge(s) FROM states FINAL")
	if !s.Equal(decimal.NewFromInt(499500)) {
		t.Errorf("sum is %v", s)
	}
	execute(t, conn, "DROP TABLE states")
}
