package orderapi

import (
	"strings"
	"testing"

	"github.com/holdfast/holdfast/pkg/shard"
)

func TestPeersReachAReplicaWhereItReachesTheBrokers(t *testing.T) {
	near := []string{"127.0.0.1:9092"}
	for _, test := range []struct {
		seeds                                 []string
		listen, advertise                     string
		wantListen, wantAdvertise, wantRefuse string
	}{
		{near, "", "", "127.0.0.1:0", "", ""},
		{[]string{"127.0.0.1:no-port", "127.0.0.1:9092"}, "", "", "127.0.0.1:0", "", ""},
		{near, "", "pod-1:9400", "127.0.0.1:9400", "pod-1:9400", ""},
		{near, ":9400", "", ":9400", "127.0.0.1:0", ""},
		{near, "0.0.0.0:9400", "", "0.0.0.0:9400", "127.0.0.1:0", ""},
		{near, ":9400", "pod-1:9400", ":9400", "pod-1:9400", ""},
		{near, "10.0.0.7:9400", "", "10.0.0.7:9400", "", ""},
		{near, "off", "", "", "", ""},
		{near, "off", "pod-1:9400", "", "", "contradict"},
		{near, "9400", "", "", "", `--peer-listen "9400" is neither host:port nor off`},
		{near, "", "pod-1", "", "", `--peer-advertise "pod-1" is not host:port`},
		{[]string{"127.0.0.1:no-port"}, "", "", "", "", "set --peer-listen and --peer-advertise"},
		{[]string{"127.0.0.1:no-port"}, ":9400", "", "", "", "set --peer-listen and --peer-advertise"},
	} {
		listen, advertise, err := peerAddresses(test.seeds, test.listen, test.advertise)
		if test.wantRefuse != "" {
			if err == nil || !strings.Contains(err.Error(), test.wantRefuse) {
				t.Errorf("%+v: it says %v", test, err)
			}
		} else if err != nil || listen != test.wantListen || advertise != test.wantAdvertise {
			t.Errorf("%+v: %q, %q, %v", test, listen, advertise, err)
		}
	}
}

func TestOtherMachinesNeedCertificates(t *testing.T) {
	for listen, allowed := range map[string]bool{
		"": true, "127.0.0.1:0": true, "[::1]:9400": true, "localhost:9400": true,
		":9400": false, "0.0.0.0:9400": false, "10.0.0.7:9400": false, "pod-1:9400": false,
	} {
		err := checkPeerTLS(listen, shard.PeerTLS{})
		if (err == nil) != allowed || err != nil && !strings.Contains(err.Error(), "--peer-cert") {
			t.Errorf("%s without TLS: %v", listen, err)
		}
		if err := checkPeerTLS(listen, shard.PeerTLS{Cert: "c", Key: "k", CA: "a"}); err != nil {
			t.Errorf("%s with TLS: %v", listen, err)
		}
	}
}
