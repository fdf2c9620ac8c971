package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"functions.local/oauth/shared/fakegoogle"
)

// TestGoogleThroughAProxy runs the flow against Google's own host names, which HTTPS_PROXY leads to the
// stand-in and SSL_CERT_FILE vouches for.
func TestGoogleThroughAProxy(t *testing.T) {
	t.Parallel()
	google := fakegoogle.New(fakegoogle.Options{})
	proxy, ca := interceptingProxy(t, google)
	registered := fakegoogle.Client{ID: "test-client", Secret: "canary-client-secret"}
	r := start(t, []string{"OAUTH_CLIENT_JSON=" + registered.JSON(), "HTTPS_PROXY=" + proxy.url, "SSL_CERT_FILE=" + ca})
	registered.RedirectURIs = []string{r.url + "/oauth2callback"}
	google.AddClient(registered)
	r.google = google

	c := client()
	_, header, _ := r.send(c, "GET", "/listlabels", "", "Accept", "text/html")
	if consent := header.Get("Location"); !strings.HasPrefix(consent, "https://accounts.google.com/o/oauth2/v2/auth?") {
		t.Fatalf("the consent page is %s", consent)
	}
	r.signIn(c, "/listlabels", "ada@example.com")
	r.expect(http.StatusOK, "label(s) found:")(r.send(c, "GET", "/listlabels", "", "Accept", "text/html"))
	want := []string{"gmail.googleapis.com", "oauth2.googleapis.com", "www.googleapis.com"}
	if hosts := proxy.hosts(); !slices.Equal(hosts, want) {
		t.Errorf("the proxy led to %v, want %v", hosts, want)
	}
}

// A proxy answers for every host that is asked for.
type proxy struct {
	url  string
	mu   sync.Mutex
	seen map[string]bool
	tls  chan net.Conn // with TLS to begin
}

func (p *proxy) hosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.seen))
}

// interceptingProxy returns a proxy behind which google answers, and the file of the certificate that
// vouches for it.
func interceptingProxy(t *testing.T, google http.Handler) (*proxy, string) {
	t.Helper()
	p := &proxy{seen: map[string]bool{}, tls: make(chan net.Conn)}
	server := httptest.NewServer(http.HandlerFunc(p.connect))
	t.Cleanup(server.Close)
	p.url = server.URL
	certificate := selfSigned(t)
	behind := &http.Server{Handler: google, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	go behind.ServeTLS(p, "", "")
	t.Cleanup(func() { behind.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	return p, ca
}

func (p *proxy) connect(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if r.Method != http.MethodConnect || err != nil {
		http.Error(w, "CONNECT only", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.seen[host] = true
	p.mu.Unlock()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	p.tls <- conn
}

// Accept, Close and Addr make the proxy the listener of what is behind it.
func (p *proxy) Accept() (net.Conn, error) {
	if conn, ok := <-p.tls; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p *proxy) Close() error {
	close(p.tls)
	return nil
}

func (p *proxy) Addr() net.Addr { return &net.TCPAddr{} }

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"*.googleapis.com"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
