package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"

	"functions.local/oauth/shared/fakegoogle"
	"functions.local/oauth/shared/seal"
)

const usage = `Runs every function on this machine, with a stand-in for Google beside them:
no Google account, no Google Cloud project and no configuration is needed.

usage: go run ./deploy/local [flags]

`

const environmentUsage = `
From the environment: FIRESTORE_EMULATOR_HOST keeps the grants in a Firestore emulator, which needs
TOKEN_KEYSET; GOOGLE_BASE_URL names another stand-in for Google, which needs OAUTH_CLIENT_JSON.
`

// settings is what the command line says.
type settings struct {
	addr         string
	clientSecret string
	project      string
}

// parseFlags returns flag.ErrHelp when it was asked for help and gave it.
func parseFlags(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.SetOutput(io.Discard) // a mistake gets one line, not the whole usage
	f.Usage = func() {}
	port := getenv("PORT")
	if port == "" {
		port = "8080"
	}
	f.StringVar(&s.addr, "addr", "localhost:"+port, "`address` to serve on, on this machine only; port 0 takes a free one")
	f.StringVar(&s.clientSecret, "client-secret", "", "`file` client_secret.json from the Google Cloud console: uses the real Google")
	f.StringVar(&s.project, "project", "", "`id` of the Google Cloud project whose Firestore keeps the grants; needs TOKEN_KEYSET")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Fprint(out, usage)
		f.SetOutput(out)
		f.PrintDefaults()
		fmt.Fprint(out, environmentUsage)
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w; -h tells what there is", err)
	case f.NArg() > 0:
		return nil, fmt.Errorf("unknown argument %q; -h tells what there is", f.Arg(0))
	}
	var err error
	s.addr, err = loopback(s.addr)
	return s, err
}

// loopback returns addr with a host and a port in it, and refuses one that other machines can reach
// or that is in use.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("-addr %s: %w; it should look like localhost:8080", addr, err)
	}
	if host == "" {
		host = "localhost"
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("-addr %s: this server is for this machine only: use localhost", addr)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return "", fmt.Errorf("-addr %s: %w; -addr localhost:0 takes a free port", addr, err)
	}
	defer l.Close()
	_, port, err = net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port), err
}

// environment returns what is to be set in the environment beside what is there. Where nothing else
// plays Google it starts the stand-in and returns it; else that is nil.
func (s *settings) environment(getenv func(string) string) (env map[string]string, google *fakegoogle.Server, err error) {
	env = map[string]string{}
	value := func(name string) string {
		if v, ok := env[name]; ok {
			return v
		}
		return getenv(name)
	}
	byDefault := func(name, v string) {
		if value(name) == "" {
			env[name] = v
		}
	}
	byDefault("BASE_URL", "http://"+s.addr)
	byDefault("SCHEDULER_ACCOUNT", "scheduler@local.iam.gserviceaccount.com")
	switch {
	case s.project != "":
		env["TOKEN_STORE"], env["GOOGLE_CLOUD_PROJECT"] = "firestore", s.project
	case getenv("FIRESTORE_EMULATOR_HOST") != "":
		byDefault("GOOGLE_CLOUD_PROJECT", "local")
	default:
		byDefault("TOKEN_STORE", "memory")
	}
	if value("TOKEN_STORE") == "memory" {
		k, err := seal.New()
		if err != nil {
			return nil, nil, err
		}
		byDefault("TOKEN_KEYSET", string(k.JSON()))
	}
	if s.clientSecret != "" {
		b, err := os.ReadFile(s.clientSecret)
		if err != nil {
			return nil, nil, fmt.Errorf("-client-secret: %w", err)
		}
		env["OAUTH_CLIENT_JSON"] = string(b)
	}
	if value("GOOGLE_BASE_URL") != "" || value("OAUTH_CLIENT_JSON") != "" {
		return env, nil, nil
	}
	google, env["GOOGLE_BASE_URL"], env["OAUTH_CLIENT_JSON"], err = startStandIn(value("BASE_URL"))
	return env, google, err
}
