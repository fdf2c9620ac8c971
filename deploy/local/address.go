package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"functions.local/oauth/shared/config"
)

// takeAddress makes s.addr a host and a port, and sets s.listen. It refuses an address that other machines can reach, or
// whose port is in use. The listeners with which it finds that out are closed, since the Functions Framework opens its
// own.
func (s *settings) takeAddress() error {
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return fmt.Errorf("-addr %s: %w; it should look like localhost:8080", s.addr, err)
	}
	if host == "" {
		host = "localhost"
	}
	if !isLoopback(host) {
		return fmt.Errorf("-addr %s: this server is for this machine only: use localhost", s.addr)
	}
	listeners, err := listen(host, port)
	if err != nil {
		return fmt.Errorf("-addr %s: %w; -addr localhost:0 takes a free port", s.addr, err)
	}
	for _, l := range listeners {
		s.listen = append(s.listen, l.Addr().String())
		l.Close()
	}
	_, port, _ = net.SplitHostPort(s.listen[0])
	s.addr = net.JoinHostPort(host, port)
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// listen listens on a port of this machine, or on a free one for port 0. For localhost it listens on both addresses that
// browsers try, 127.0.0.1 and ::1, as far as the machine has them: another server on one of them would get our visitors.
func listen(host, port string) (listeners []net.Listener, err error) {
	hosts := []string{host}
	if host == "localhost" {
		hosts = slices.DeleteFunc([]string{"127.0.0.1", "::1"}, func(ip string) bool { return !isThere(ip) })
	}
	const attempts = 20
	for range attempts {
		at := port
		for _, h := range hosts {
			var l net.Listener
			if l, err = net.Listen("tcp", net.JoinHostPort(h, at)); err != nil {
				break
			}
			listeners = append(listeners, l)
			_, at, _ = net.SplitHostPort(l.Addr().String())
		}
		if err == nil && len(listeners) > 0 {
			return listeners, nil
		}
		for _, l := range listeners {
			l.Close()
		}
		if listeners = nil; port != "0" || len(hosts) < 2 {
			break
		}
		// A free port of the first address was taken at the second. Another one may be free at both.
	}
	if err == nil {
		err = errors.New("this machine has no loopback address")
	}
	return nil, err
}

// isThere reports whether the machine has this loopback address.
func isThere(ip string) bool {
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err == nil {
		l.Close()
	}
	return err == nil
}

// devServers are the pages of the usual development servers of front ends: of Next.js and React, Angular, and Vite.
var devServers = []string{"http://localhost:3000/", "http://localhost:4200/", "http://localhost:5173/"}

// listenBeside listens on the port after that of addr, or on a free one, and returns the URL of a page there.
func listenBeside(addr string) (listeners []net.Listener, page string, err error) {
	host, port, _ := net.SplitHostPort(addr)
	next, _ := strconv.Atoi(port)
	if listeners, err = listen(host, strconv.Itoa(next+1)); err != nil {
		if listeners, err = listen(host, "0"); err != nil {
			return nil, "", err
		}
	}
	_, port, _ = net.SplitHostPort(listeners[0].Addr().String())
	return listeners, "http://" + net.JoinHostPort(host, port) + "/", nil
}

// serveBeside serves h, which is not a function, on ports of its own.
func serveBeside(listeners []net.Listener, c *config.Config, h http.Handler) {
	for _, l := range listeners {
		go http.Serve(l, ownHosts(c, h))
	}
}

// ownHosts refuses requests that are not for this machine's own host names or that of BASE_URL. Otherwise a page of the
// Internet, whose host name somebody made point to this machine, would be of our origin for a browser (DNS rebinding).
func ownHosts(c *config.Config, next http.Handler) http.Handler {
	public, _ := url.Parse(c.BaseURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if !isLoopback(host) && !strings.EqualFold(host, public.Hostname()) {
			http.Error(w, "This server answers as localhost and as the host of BASE_URL only. If your browser sees another address of it, set BASE_URL to that.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// originOf returns the origin of a URL, or "" for a text that is not a URL.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
