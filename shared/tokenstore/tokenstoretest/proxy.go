package tokenstoretest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy passes on what clients and a server send each other over TCP. Its methods delay, spoil or lose
// what the server sends.
type Proxy struct {
	Addr string // host:port

	server string
	closed chan struct{}

	mu    sync.Mutex
	open  map[net.Conn]bool // to clients and to the server
	muted bool
	delay time.Duration
	pass  int // replies that are passed on before one is lost
	lose  int // replies that are lost then
	lost  int // replies that were lost
}

// NewProxy returns a proxy for the server at addr (host:port). It ends with the test.
func NewProxy(t testing.TB, addr string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), server: addr, closed: make(chan struct{}), open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		l.Close()
		close(p.closed)
		p.cut()
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// Mute loses everything that the server sends from now on, as if the server hung.
func (p *Proxy) Mute() { p.set(func() { p.muted = true }) }

// Delay makes everything that the server sends arrive later by d.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// LoseReplies passes on so many replies of a gRPC server, and then cuts the connection before the end of
// each of the next n: those calls were carried out, and their clients do not know that.
func (p *Proxy) LoseReplies(after, n int) { p.set(func() { p.pass, p.lose = after, n }) }

// Lost returns how many replies LoseReplies has lost.
func (p *Proxy) Lost() (n int) {
	p.set(func() { n = p.lost })
	return n
}

// cut ends every connection, and does nothing to new ones.
func (p *Proxy) cut() {
	p.set(func() {
		for c := range p.open {
			c.Close()
		}
		p.muted, p.delay, p.lose = false, 0, 0
	})
}

// set calls f under the lock.
func (p *Proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// serve connects a client with the server.
func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.set(func() { p.open[client], p.open[server] = true, true })
	defer p.set(func() {
		delete(p.open, client)
		delete(p.open, server)
	})
	go func() {
		io.Copy(server, client)
		server.Close()
	}()
	p.answer(client, server)
}

// answer passes on what the server sends.
func (p *Proxy) answer(client, server net.Conn) {
	var (
		replies replies
		buffer  [32 << 10]byte
		queue   = make(chan late, 1024) // the reader goes on while pieces wait, so that many are delayed no longer than one
		sent    = make(chan struct{})
	)
	go func() {
		defer close(sent)
		defer server.Close()
		for l := range queue {
			select {
			case <-time.After(time.Until(l.due)):
			case <-p.closed:
				return
			}
			if _, err := client.Write(l.said); err != nil {
				return
			}
		}
	}()
	defer func() {
		close(queue)
		<-sent
	}()
	for end := false; !end; {
		n, err := server.Read(buffer[:])
		if err != nil {
			return
		}
		said, due := buffer[:n], time.Now()
		p.set(func() {
			due = due.Add(p.delay)
			switch ends := replies.in(said); {
			case p.muted:
				said = nil
			case p.lose > 0 && len(ends) > p.pass:
				said, end = said[:ends[p.pass]], true
				p.pass = 0
				p.lose--
				p.lost++
			case p.lose > 0:
				p.pass -= len(ends)
			}
		})
		select {
		case queue <- late{bytes.Clone(said), due}:
		case <-sent:
			return
		}
	}
}

// late is a piece that the server sent, and when its client is to get it.
type late struct {
	said []byte
	due  time.Time
}

// replies finds the ends of gRPC replies in what an HTTP/2 server sends: the HEADERS frames with the
// flag END_STREAM [RFC 9113 §4.1, §6.2].
type replies struct {
	header  []byte // of the frame that has begun
	payload int    // bytes of the frame that are yet to come
}

// in returns where in the next bytes replies end: before the first byte of the last frame's payload.
func (r *replies) in(b []byte) (ends []int) {
	const headerSize, headers, endStream = 9, 1, 1
	for at := 0; at < len(b); {
		if r.payload > 0 {
			n := min(r.payload, len(b)-at)
			r.payload -= n
			at += n
			continue
		}
		n := min(headerSize-len(r.header), len(b)-at)
		r.header = append(r.header, b[at:at+n]...)
		at += n
		if len(r.header) < headerSize {
			break
		}
		h := r.header
		if h[3] == headers && h[4]&endStream != 0 {
			ends = append(ends, at)
		}
		r.payload, r.header = int(h[0])<<16|int(h[1])<<8|int(h[2]), h[:0]
	}
	return ends
}
