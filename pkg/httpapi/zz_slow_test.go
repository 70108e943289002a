package httpapi
import ("testing";"net";"fmt";"io";"time")
func TestSlow(t *testing.T){ s:=newSite(t,&desk{}); c,_:=net.Dial("tcp",s.Listener.Addr().String()); fmt.Fprintf(c,"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"); st:=time.Now(); b,err:=io.ReadAll(c); t.Log(time.Since(st),string(b),err)}
