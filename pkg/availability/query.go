package availability

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
