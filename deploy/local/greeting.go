package main

import (
	"fmt"
	"io"
	"slices"
)

// greet prints what is running and where.
func (s *site) greet(out io.Writer) {
	fmt.Fprintf(out, "\n  Open    %s/\n", s.config.BaseURL)
	if s.config.BaseURL != "http://"+s.addr {
		fmt.Fprintf(out, "  Listens %s\n", s.addr)
	}
	fmt.Fprintf(out, "  Google  %s\n  Grants  %s\n", s.whichGoogle(), s.whichStore())
	if s.frontEnd != "" {
		fmt.Fprintf(out, "  App     %s  plays a front end of your own\n", s.frontEnd)
	}
	if s.target != "" {
		fmt.Fprintf(out, "  Serves  %s alone, at / and under its name (FUNCTION_TARGET)\n", s.target)
	}
	fmt.Fprint(out, "\nCtrl-C ends it.\n\n")
}

// whichGoogle says which Google the functions use, and what that one needs.
func (s *site) whichGoogle() string {
	switch {
	case s.google != nil:
		return "the stand-in at " + s.pages + "; no account is needed"
	case s.config.GoogleBaseURL != nil:
		return "the stand-in at " + s.pages
	}
	text := "the real one; its OAuth client has to have\n" +
		"            redirect URI       " + s.config.RedirectURI() + "\n" +
		"            JavaScript origin  " + originOf(s.config.BaseURL) + "  (for the popup page)"
	if s.frontEnd != "" {
		text += "\n            JavaScript origin  " + originOf(s.frontEnd) + "  (for One Tap)"
	}
	if uris := s.config.ClientRedirectURIs; len(uris) > 0 && !slices.Contains(uris, s.config.RedirectURI()) {
		text += "\n          NOT YET: " + s.clientFile() + " does not name that redirect URI. Add it at\n" +
			"          https://console.cloud.google.com/auth/clients, or Google refuses every sign-in (redirect_uri_mismatch);\n" +
			"          then download the file again, and this note is gone."
	}
	return text
}

// clientFile returns the name of what the OAuth client was read from.
func (s *site) clientFile() string {
	if s.clientSecret != "" {
		return "-client-secret " + s.clientSecret
	}
	return "OAUTH_CLIENT_JSON"
}

// whichStore says where the grants are kept.
func (s *site) whichStore() string {
	switch {
	case s.data != "" && s.google != nil:
		return "in " + s.data + "; the stand-in itself begins anew and asks once more"
	case s.data != "":
		return "in " + s.data + ", with the keyset that they are sealed with"
	case s.config.Memory:
		return "in memory, gone when this ends; -data FILE keeps them"
	case s.config.Emulator != "":
		return "Firestore, project " + s.config.Project + ", emulator at " + s.config.Emulator
	}
	return "Firestore, project " + s.config.Project
}
