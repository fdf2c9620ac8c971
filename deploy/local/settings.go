package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"functions.local/oauth/shared/httpfunc"
)

const usage = `Runs every function on this machine, with a stand-in for Google beside them:
no Google account, no Google Cloud project and no configuration is needed.

usage: go run ./deploy/local [flags]

`

const environmentUsage = `
From the environment:
  BASE_URL                 the address that the browser sees, where that is another one: in Cloud
                           Shell, in Codespaces, behind ssh -L
  FUNCTION_TARGET          serves this one function alone, as the platform does: at / and under its name,
                           on the environment's configuration alone
  FIRESTORE_EMULATOR_HOST  keeps the grants in a Firestore emulator; needs TOKEN_KEYSET
  GOOGLE_BASE_URL          another stand-in for Google; needs OAUTH_CLIENT_JSON
  AUTH_ISSUER              whose ID tokens the front end's page sends, in place of the stand-in's:
                           https://accounts.google.com shows One Tap; with another one there is
                           no such page, and your own app calls
  FRONT_ENDS               pages of your own front ends, in place of those of the usual servers
`

// settings is what the command line says.
type settings struct {
	addr         string   // host:port, as browsers call it
	listen       []string // the addresses of this machine that addr stands for
	clientSecret string
	project      string
	data         string
	target       string // the one function that is served, or "" for all
}

// parseFlags reads the command line. It returns flag.ErrHelp after it has printed the help that was asked for.
func parseFlags(args []string, getenv func(string) string, out io.Writer) (*settings, error) {
	s := &settings{target: getenv("FUNCTION_TARGET")}
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.SetOutput(io.Discard) // a mistake gets one line, not the whole usage
	f.Usage = func() {}
	f.StringVar(&s.addr, "addr", "localhost:"+cmp.Or(getenv("PORT"), "8080"), "`address` to serve on, on this machine only; port 0 takes a free one")
	f.StringVar(&s.clientSecret, "client-secret", "", "`file` client_secret.json from the Google Cloud console: uses the real Google")
	f.StringVar(&s.data, "data", "", "`file` that keeps grants and keyset, so that a restart signs nobody out")
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
	case s.data != "" && (s.project != "" || getenv("FIRESTORE_EMULATOR_HOST") != ""):
		return nil, fmt.Errorf("-data %s: the grants are in Firestore already: leave out -data, or -project and FIRESTORE_EMULATOR_HOST", s.data)
	case s.target != "" && !slices.Contains(httpfunc.Names(), s.target):
		return nil, fmt.Errorf("FUNCTION_TARGET=%s: there is no such function; there are %s", s.target, strings.Join(httpfunc.Names(), ", "))
	}
	return s, s.takeAddress()
}
