package freeport

import (
	"net"
	"testing"
)

func TestAnAddressIsReservedUntilItsTestEnds(t *testing.T) {
	var address string
	t.Run("reserved", func(t *testing.T) {
		address = Address(t)
		if reserve(t, address) {
			t.Errorf("%s was given twice", address)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatalf("the program that it is for cannot listen: %v", err)
		}
		defer l.Close()
	})
	if !reserve(t, address) {
		t.Errorf("%s is still reserved after its test", address)
	}
}

func TestAnAddressThatIsListenedOnIsNotGiven(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if address := l.Addr().String(); reserve(t, address) {
		t.Errorf("%s was given, although somebody listens there", address)
	}
}
