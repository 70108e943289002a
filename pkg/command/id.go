package command

import (
	"github.com/google/uuid"
)

// DefaultTenant is the tenant of every request until there are more.
const DefaultTenant = "default"

// namespace is fixed for ever: order IDs derive from it, and a retry must find the same order.
var namespace = uuid.MustParse("6f1d3a52-7c0e-5b9e-9a64-3d2f4c8b7e10")

// OrderID is the order that a client's key stands for: the same key always reaches the same order.
func OrderID(tenant, key string) string {
	return derive(namespace, tenant, key)
}

// FulfilmentID is the shipment that a client's key stands for within one order.
func FulfilmentID(orderID, key string) string {
	return derive(namespace, "fulfilment\x00"+orderID, key)
}

// ReturnID is the return that a client's key stands for within one order.
func ReturnID(orderID, key string) string {
	return derive(namespace, "return\x00"+orderID, key)
}

// TransferID is the transfer that a client's key stands for within one stock item.
func TransferID(sku, key string) string {
	return derive(namespace, "transfer\x00"+sku, key)
}

func derive(space uuid.UUID, scope, key string) string {
	var buf [128]byte
	name := append(buf[:0], scope...)
	name = append(name, 0)
	name = append(name, key...)
	return uuid.NewSHA1(space, name).String()
}

// ValidOrderID reports whether id is a UUID in its canonical form, as every order ID is.
func ValidOrderID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
