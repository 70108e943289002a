package live

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast/holdfast/pkg/appendjson"
	"github.com/holdfast/holdfast/pkg/eventlog"
	"github.com/holdfast/holdfast/pkg/eventlog/schema"
	eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"
)

// AppendEvent appends an event of the log as a CloudEvent in JSON. Its data is what the mirror in ClickHouse has in
// events.body: the newest version of the event in Protobuf's JSON mapping. The extension "position" is the place behind
// the event, for those who read a view afterwards.
func AppendEvent(b []byte, rec *eventlog.Record, of eventlog.Incarnation) ([]byte, error) {
	if rec.Topic == eventlog.TopicOrders {
		ev := eventv1.OrderEventFromVTPool()
		defer ev.ReturnToVTPool()
		if err := schema.ReadOrder(rec.Value, ev); err != nil {
			return b, unreadable(rec, err)
		}
		return appendCloudEvent(b, rec, of, "/holdfast/orders", ev.OrderId, ev.Meta, ev)
	}
	ev := eventv1.InventoryEventFromVTPool()
	defer ev.ReturnToVTPool()
	if err := schema.ReadInventory(rec.Value, ev); err != nil {
		return b, unreadable(rec, err)
	}
	return appendCloudEvent(b, rec, of, "/holdfast/inventory", ev.Sku, ev.Meta, ev)
}

func unreadable(rec *eventlog.Record, err error) error {
	return fmt.Errorf("%s/%d@%d cannot be decoded: %w", rec.Topic, rec.Partition, rec.Offset, err)
}

func appendCloudEvent(
	b []byte, rec *eventlog.Record, of eventlog.Incarnation, source, subject string, meta *eventv1.Meta,
	ev protoreflect.ProtoMessage,
) ([]byte, error) {
	id, err := uuid.FromBytes(meta.GetEventId())
	if err != nil {
		return b, unreadable(rec, err)
	}
	name, version := schema.Name(ev)
	b = append(b, `{"specversion":"1.0","id":"`...)
	b = append(b, id.String()...)
	b = append(append(b, `","source":"`...), source...)
	b = append(append(b, `","type":"holdfast.`...), name...)
	b = strconv.AppendInt(append(b, ".v"...), int64(version), 10)
	b = appendjson.String(append(b, `","subject":`...), subject)
	b = append(b, `,"time":"`...)
	b = time.UnixMicro(meta.GetOccurredAtMicros()).UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","datacontenttype":"application/json","position":"`...)
	b = of.Append(b, eventlog.PositionOf(eventlog.Offsets{rec.TopicPartition: rec.Offset + 1}))
	b = append(b, `","data":`...)
	if b, err = schema.AppendJSON(b, ev); err != nil {
		return b, unreadable(rec, err)
	}
	return append(b, '}'), nil
}
