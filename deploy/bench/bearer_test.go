package bench_test

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// authIssuer has Google's own ID tokens taken as bearer tokens.
var authIssuer = []string{"AUTH_ISSUER=https://accounts.google.com", "AUTH_AUDIENCE=" + clientID}

// BenchmarkBearer measures what listlabels costs more for a bearer token than for a session: the token is checked at each
// request, the keys come once a process. It takes rounds for the figure to be worth anything: -benchtime=9x.
func BenchmarkBearer(b *testing.B) {
	w := newWorld(b)
	session := with(w.user("ada", time.Now().Add(time.Hour)), "Accept", jsonType)
	token := w.sign(map[string]any{"aud": clientID, "sub": "ada", "email": "ada@example.com", "email_verified": true})
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	p := start(b, ours, binary(b, ours, "listlabels"), w.environment("listlabels", authIssuer...), nil, "/", anyStatus)
	cpu := func(header http.Header) float64 {
		s := &sample{}
		s.load(b, w, p, 16, 4000, http.StatusOK, func(int) *http.Request { return p.request(b, "GET", "/listlabels", nil, header) })
		return s.perThousand(milliseconds(s.cpu)) / 1000
	}
	cpu(bearer) // warms up
	var more []float64
	for range b.N {
		without := cpu(session)
		more = append(more, cpu(bearer)-without)
	}
	slices.Sort(more)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(more[len(more)/2], "cpu-ms-more")
	b.Logf("%.3f", more)
}
