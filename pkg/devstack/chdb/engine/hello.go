package engine

import (
	"strings"

	"github.com/ClickHouse/ch-go/proto"
)

// helloQuery is the first query that clickhouse-go sends to a server.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

func isHello(q *request, text string) bool {
	return q.protocolRevision > 0 && q.format == native && strings.TrimSpace(text) == helloQuery
}

// hello answers helloQuery in the engine's place, and says that the server has protocol revision 0. The library always
// writes the Native format of revision 0, while the engine would report its newest revision, and the client would then
// misread its blocks.
func (g *gateway) hello(protocolRevision int) ([]byte, error) {
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
	err := block.EncodeBlock(&buf, protocolRevision, columns)
	return buf.Buf, err
}
