package client

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// Problem is a refusal, as an error. errors.AsType[*client.Problem] finds it.
type Problem struct {
	ProblemDocument
	// RetryAfter is the server's Retry-After; 0: it had none.
	RetryAfter time.Duration
}

// Error has the code, the field at fault and the detail.
func (p *Problem) Error() string {
	text := p.Code
	if len(p.Errors) > 0 && p.Errors[0].Pointer != "" {
		text += ": " + p.Errors[0].Pointer
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// problemOf reads a problem. Another body, such as a proxy's page, becomes a problem with the code http_<status>.
func problemOf(response *http.Response, body []byte) *Problem {
	p := &Problem{}
	if err := json.Unmarshal(body, &p.ProblemDocument); err != nil || p.Code == "" {
		p.ProblemDocument = ProblemDocument{
			Code:  "http_" + strconv.Itoa(response.StatusCode),
			Title: http.StatusText(response.StatusCode),
		}
	}
	p.Status = response.StatusCode
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}
