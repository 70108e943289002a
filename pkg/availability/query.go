package availability

import eventv1 "github.com/holdfast/holdfast/schemas/gen/holdfast/event/v1"

// Render is the availability of a row as JSON.
func Render(row *eventv1.AvailabilityRow) []byte { return render(row) }

// RenderStock is the availability of a row with its metadata and its open work as JSON.
func RenderStock(row *eventv1.AvailabilityRow) []byte {
	return renderStock(render(row), string(renderMetadata(row.Metadata)), row)
}

// Row returns the availability of a SKU as JSON, and its version. The bytes never change.
func (s *Store) Row(sku string) (jsonBody []byte, version uint64, ok bool) {
	row := s.view.rows.get(sku)
	return row.body, row.version, row.body != nil
}

// Stock returns the availability of a SKU with its metadata and its open work as JSON, and its version. It is rendered
// at each call: thousands of orders may wait for one item, so that bodies kept ready would need much memory.
func (s *Store) Stock(sku string) (jsonBody []byte, version uint64, ok bool) {
	row := s.view.rows.get(sku)
	if row.body == nil {
		return nil, 0, false
	}
	return renderStock(row.body, row.metadata, row.open), row.version, true
}
