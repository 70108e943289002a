package clickhouse

import "net/http"

// transport sends requests to the HTTP interface. The driver lets a deadline of the context replace the read timeout
// over the native protocol, and does not over HTTP: there a sum that takes 61 s ended after 60, whatever its deadline.
type transport struct {
	// impatient waits for an answer as long as the read timeout, patient as long as the request's deadline.
	impatient, patient *http.Transport
}

// obeyDeadlines makes a transport from that of the driver.
func obeyDeadlines(impatient *http.Transport) (http.RoundTripper, error) {
	patient := impatient.Clone()
	patient.ResponseHeaderTimeout = 0
	return transport{impatient, patient}, nil
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if _, limited := request.Context().Deadline(); limited {
		return t.patient.RoundTrip(request)
	}
	return t.impatient.RoundTrip(request)
}

// CloseIdleConnections closes the connections of both, which the driver asks for when it closes its own.
func (t transport) CloseIdleConnections() {
	t.impatient.CloseIdleConnections()
	t.patient.CloseIdleConnections()
}
