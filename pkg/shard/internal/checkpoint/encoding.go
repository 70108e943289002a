package checkpoint

import (
	"encoding/binary"
	"errors"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
)

// encode appends an order with its reservations and its commands:
//
//	the order, length-prefixed
//	its number
//	the number of reservations, then each, length-prefixed
//	for each command its fingerprint (16 bytes), its version, and its key, length-prefixed
//
// Numbers are unsigned varints. scratch is memory to encode a single value in.
func (e *Entry) encode(dst []byte, scratch *[]byte) ([]byte, error) {
	o, err := codec.EncodeOrder((*scratch)[:0], &e.Order)
	if err != nil {
		return dst, err
	}
	*scratch = o
	dst = append(binary.AppendUvarint(dst, uint64(len(o))), o...)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, e.Number), uint64(len(e.Reservations.List)))
	if dst, err = e.Reservations.encode(dst, scratch); err != nil {
		return dst, err
	}
	for _, c := range e.commands {
		dst = append(dst, c.Fingerprint[:]...)
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, c.Version), uint64(len(c.key)))
		dst = append(dst, c.key...)
	}
	return dst, nil
}

var errShortEntry = errors.New("the value ends too early")

func (e *Entry) decode(v []byte) error {
	e.encoded = len(v)
	o, v, err := cutPrefixed(v)
	if err != nil {
		return err
	}
	if e.Order, err = codec.DecodeOrderState(o); err != nil {
		return err
	}
	var w int
	if e.Number, w = binary.Uvarint(v); w <= 0 {
		return errShortEntry
	}
	v = v[w:]
	n, w := binary.Uvarint(v)
	if w <= 0 {
		return errShortEntry
	}
	for v = v[w:]; n > 0; n-- {
		if v, err = e.Reservations.decodeOne(v); err != nil {
			return err
		}
	}
	e.indexed = indexOf(e)
	return e.decodeCommands(v)
}

func (e *Entry) decodeCommands(v []byte) error {
	for len(v) > 0 {
		var c CommandRecord
		if len(v) < 18 {
			return errShortEntry
		}
		copy(c.Fingerprint[:], v)
		v = v[16:]
		var w int
		if c.Version, w = binary.Uvarint(v); w <= 0 {
			return errShortEntry
		}
		key, remaining, err := cutPrefixed(v[w:])
		if err != nil {
			return err
		}
		c.key, v = string(key), remaining
		e.commands = append(e.commands, c)
	}
	return nil
}

// encode appends the reservations, each length-prefixed.
func (r *Reservations) encode(dst []byte, scratch *[]byte) ([]byte, error) {
	for _, res := range r.List {
		encoded, err := codec.EncodeReservation((*scratch)[:0], res.SKU, &res.Reservation)
		if err != nil {
			return dst, err
		}
		*scratch = encoded
		dst = append(binary.AppendUvarint(dst, uint64(len(encoded))), encoded...)
	}
	return dst, nil
}

func (r *Reservations) decode(v []byte) (err error) {
	r.encoded = len(v)
	for len(v) > 0 && err == nil {
		v, err = r.decodeOne(v)
	}
	return err
}

func (r *Reservations) decodeOne(v []byte) (remaining []byte, err error) {
	encoded, remaining, err := cutPrefixed(v)
	if err != nil {
		return nil, err
	}
	sku, res, err := codec.DecodeReservation(encoded)
	if err != nil {
		return nil, err
	}
	r.List = append(r.List, &Reservation{SKU: sku, Reservation: res, promised: promisedAt(&res)})
	return remaining, nil
}

// cutPrefixed cuts a length-prefixed value off v.
func cutPrefixed(v []byte) (value, remaining []byte, err error) {
	n, w := binary.Uvarint(v)
	if w <= 0 || uint64(len(v)-w) < n {
		return nil, nil, errShortEntry
	}
	return v[w : w+int(n)], v[w+int(n):], nil
}
