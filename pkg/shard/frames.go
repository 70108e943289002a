package shard

import (
	"encoding/binary"
	"errors"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
)

// encode and decode frame an order with its commands: the order's length, the order, then for each
// command its fingerprint, version, key length and key. scratch is memory to encode the order in.
func (e *entry) encode(dst []byte, scratch *[]byte) ([]byte, error) {
	o, err := codec.EncodeOrder((*scratch)[:0], &e.o)
	if err != nil {
		return dst, err
	}
	*scratch = o
	dst = append(binary.AppendUvarint(dst, uint64(len(o))), o...)
	for _, c := range e.commands {
		dst = append(dst, c.fingerprint[:]...)
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, c.version), uint64(len(c.key)))
		dst = append(dst, c.key...)
	}
	return dst, nil
}

var errShortEntry = errors.New("the value ends too early")

func (e *entry) decode(v []byte) error {
	n, w := binary.Uvarint(v)
	if w <= 0 || uint64(len(v)-w) < n {
		return errShortEntry
	}
	o, err := codec.DecodeOrderState(v[w : w+int(n)])
	if err != nil {
		return err
	}
	e.o = o
	for v = v[w+int(n):]; len(v) > 0; {
		var c commandRecord
		if len(v) < 18 {
			return errShortEntry
		}
		copy(c.fingerprint[:], v)
		v = v[16:]
		if c.version, w = binary.Uvarint(v); w <= 0 {
			return errShortEntry
		}
		v = v[w:]
		n, w := binary.Uvarint(v)
		if w <= 0 || uint64(len(v)-w) < n {
			return errShortEntry
		}
		c.key = string(v[w : w+int(n)])
		v = v[w+int(n):]
		e.commands = append(e.commands, c)
	}
	return nil
}

// encode and decode frame holdings: each reservation's length, then the reservation.
func (h *holdings) encode(dst []byte, scratch *[]byte) ([]byte, error) {
	for _, held := range h.list {
		one, err := codec.EncodeReservation((*scratch)[:0], held.sku, &held.res)
		if err != nil {
			return dst, err
		}
		*scratch = one
		dst = append(binary.AppendUvarint(dst, uint64(len(one))), one...)
	}
	return dst, nil
}

func (h *holdings) decode(v []byte) error {
	for len(v) > 0 {
		n, w := binary.Uvarint(v)
		if w <= 0 || uint64(len(v)-w) < n {
			return errShortEntry
		}
		sku, res, err := codec.DecodeReservation(v[w : w+int(n)])
		if err != nil {
			return err
		}
		h.list = append(h.list, &holding{sku: sku, res: res})
		v = v[w+int(n):]
	}
	return nil
}
