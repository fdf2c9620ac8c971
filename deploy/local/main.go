// Command local runs every function on this machine, with a stand-in for Google beside them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"functions.local/oauth/shared/httpfunc"

	_ "functions.local/oauth/deploy/local/environ"
	_ "functions.local/oauth/functions/all"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

// run serves until the process is told to end.
func run(args []string, out io.Writer) error {
	s, err := parseFlags(args, os.Getenv, out)
	if err != nil {
		return err
	}
	site, err := newSite(s, os.Getenv, os.Stderr)
	if err != nil {
		return err
	}
	if err := checkFirestore(site.config); err != nil {
		return err
	}
	// The framework serves the handler that is registered below, which has no name, under every path if it does not find
	// its target. There is no function of this name.
	os.Setenv("FUNCTION_TARGET", "local")
	if err := funcframework.RegisterHTTPFunctionContext(context.Background(), "/", site.handler().ServeHTTP); err != nil {
		return err
	}
	httpfunc.DrainOnSignal()
	failed := make(chan error, len(s.listen))
	for _, addr := range s.listen {
		go func() { failed <- serve(addr) }()
		if err := answering(addr, failed); err != nil {
			return err
		}
	}
	site.greet(out)
	return <-failed
}

func serve(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if net.ParseIP(host).To4() == nil {
		host = "[" + host + "]" // the framework puts just a colon between host and port
	}
	return funcframework.StartHostPort(host, port)
}

// answering waits until addr accepts connections or the server has failed.
func answering(addr string, failed <-chan error) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-poll.C:
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
	}
}
