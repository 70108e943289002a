package engine

import (
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// helloQuery is the first thing that clickhouse-go asks of a server.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

func isHello(q *request, text string) bool {
	return q.protocol > 0 && q.format == native && strings.TrimSpace(text) == helloQuery
}

// hello answers in the engine's place. The library writes Native as of revision 0, whatever the client can
// read; a server that says it is of revision 0 is read like that.
func (g *gateway) hello(protocol int) ([]byte, error) {
	var name, version, zone proto.ColStr
	name.Append(displayName)
	version.Append(g.version)
	zone.Append(g.timezone)
	columns := []proto.InputColumn{
		{Name: "displayName()", Data: &name},
		{Name: "version()", Data: &version},
		{Name: "revision()", Data: &proto.ColUInt32{0}},
		{Name: "timezone()", Data: &zone},
	}
	var buf proto.Buffer
	block := proto.Block{Info: proto.BlockInfo{BucketNum: -1}, Columns: len(columns), Rows: 1}
	err := block.EncodeBlock(&buf, protocol, columns)
	return buf.Buf, err
}
