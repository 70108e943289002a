package shard

import (
	"encoding/binary"
	"errors"

	"github.com/holdfast/holdfast/pkg/eventlog/codec"
)

// encode and decode frame an order with what is held for it and its commands: the order's length, the order,
// the number of holdings and those, then for each command its fingerprint, version, key length and key.
// scratch is memory to encode parts in.
func (e *entry) encode(dst []byte, scratch *[]byte) ([]byte, error) {
	o, err := codec.EncodeOrder((*scratch)[:0], &e.o)
	if err != nil {
		return dst, err
	}
	*scratch = o
	dst = append(binary.AppendUvarint(dst, uint64(len(o))), o...)
	dst = binary.AppendUvarint(dst, uint64(len(e.held.list)))
	if dst, err = e.held.encode(dst, scratch); err != nil {
		return dst, err
	}
	for _, c := range e.commands {
		dst = append(dst, c.fingerprint[:]...)
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, c.version), uint64(len(c.key)))
		dst = append(dst, c.key...)
	}
	return dst, nil
}

var errShortEntry = errors.New("the value ends too early")

func (e *entry) decode(v []byte) error {
	o, v, err := frame(v)
	if err != nil {
		return err
	}
	if e.o, err = codec.DecodeOrderState(o); err != nil {
		return err
	}
	e.indexed = indexOf(&e.o)
	n, w := binary.Uvarint(v)
	if w <= 0 {
		return errShortEntry
	}
	for v = v[w:]; n > 0; n-- {
		if v, err = e.held.decodeOne(v); err != nil {
			return err
		}
	}
	for len(v) > 0 {
		var c commandRecord
		if len(v) < 18 {
			return errShortEntry
		}
		copy(c.fingerprint[:], v)
		v = v[16:]
		if c.version, w = binary.Uvarint(v); w <= 0 {
			return errShortEntry
		}
		var key []byte
		if key, v, err = frame(v[w:]); err != nil {
			return err
		}
		c.key = string(key)
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

func (h *holdings) decode(v []byte) (err error) {
	for len(v) > 0 && err == nil {
		v, err = h.decodeOne(v)
	}
	return err
}

func (h *holdings) decodeOne(v []byte) (rest []byte, err error) {
	one, rest, err := frame(v)
	if err != nil {
		return nil, err
	}
	sku, res, err := codec.DecodeReservation(one)
	if err != nil {
		return nil, err
	}
	h.list = append(h.list, &holding{sku: sku, res: res})
	return rest, nil
}

// frame cuts a length and as many bytes off v.
func frame(v []byte) (framed, rest []byte, err error) {
	n, w := binary.Uvarint(v)
	if w <= 0 || uint64(len(v)-w) < n {
		return nil, nil, errShortEntry
	}
	return v[w : w+int(n)], v[w+int(n):], nil
}
