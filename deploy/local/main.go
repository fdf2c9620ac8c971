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
	"golang.org/x/oauth2/google"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/httpfunc"

	_ "functions.local/oauth/deploy/local/environ"
	_ "functions.local/oauth/functions/account"
	_ "functions.local/oauth/functions/createevent"
	_ "functions.local/oauth/functions/createfile"
	_ "functions.local/oauth/functions/dailyevent"
	_ "functions.local/oauth/functions/listlabels"
	_ "functions.local/oauth/functions/listprojects"
	_ "functions.local/oauth/functions/oauth2callback"
	_ "functions.local/oauth/functions/oauth2init"
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
	env, standIn, err := s.environment(os.Getenv)
	if err != nil {
		return err
	}
	for name, value := range env {
		os.Setenv(name, value)
	}
	c, err := config.Parse(os.Getenv)
	if err != nil {
		return err
	}
	app, err := httpfunc.Process()
	if err != nil {
		return err
	}
	if err := checkCredentials(c); err != nil {
		return err
	}
	site := &site{app: app, config: c, google: standIn, addr: s.addr}
	// The framework serves what has no name of its own under every path when it does not find its target.
	os.Setenv("FUNCTION_TARGET", "local")
	if err := funcframework.RegisterHTTPFunctionContext(context.Background(), "/", site.handler().ServeHTTP); err != nil {
		return err
	}
	httpfunc.DrainOnSignal()
	failed := make(chan error, 1)
	go func() { failed <- serve(s.addr) }()
	if err := answering(s.addr, failed); err != nil {
		return err
	}
	site.greet(out)
	return <-failed
}

// checkCredentials tells at once what the first request to Firestore would come upon.
func checkCredentials(c *config.Config) error {
	if c.Memory || c.Emulator != "" {
		return nil
	}
	if _, err := google.FindDefaultCredentials(context.Background(), "https://www.googleapis.com/auth/datastore"); err != nil {
		return fmt.Errorf("no credentials for Firestore (`gcloud auth application-default login` makes them): %w", err)
	}
	return nil
}

func serve(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if net.ParseIP(host).To4() == nil && host != "localhost" {
		host = "[" + host + "]" // the framework joins host and port as they are
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
