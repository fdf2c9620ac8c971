package oauthflow

import (
	"slices"
	"strings"
)

// Scopes is what a feature needs. Each entry lists scopes of which any one will do; the first is the
// one that is asked for.
type Scopes [][]string

// Missing returns what to ask for, given what was granted.
func (s Scopes) Missing(granted []string) []string {
	var missing []string
	for _, anyOf := range s {
		if !slices.ContainsFunc(anyOf, func(scope string) bool { return slices.Contains(granted, normalizeScope(scope)) }) {
			missing = append(missing, anyOf[0])
		}
	}
	return missing
}

// First returns the scopes that are asked for when nothing was granted.
func (s Scopes) First() []string { return s.Missing(nil) }

// covers reports whether have holds all of want, whichever form they are in.
func covers(have, want []string) bool { return len(lacking(have, want)) == 0 }

// lacking returns what of want is not in have, which is normalized.
func lacking(have, want []string) []string {
	var missing []string
	for _, scope := range want {
		if !slices.Contains(have, normalizeScope(scope)) {
			missing = append(missing, scope)
		}
	}
	return missing
}

// without returns the scopes that are not in drop.
func without(scopes []string, drop ...string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return slices.Contains(drop, scope) })
}

// permissions returns scopes without those that only say who the user is.
func permissions(scopes []string) []string {
	return without(scopes, "openid", normalizeScope("email"), normalizeScope("profile"))
}

// normalizeScope maps the short OpenID Connect names to the ones that Google answers with.
func normalizeScope(scope string) string {
	switch scope {
	case "email", "profile":
		return "https://www.googleapis.com/auth/userinfo." + scope
	}
	return scope
}

// parseScope reads a token response's scope parameter [RFC 6749 §3.3].
func parseScope(param string) []string { return normalizeScopes(strings.Fields(param)) }

// normalizeScopes normalizes, sorts and compacts scopes in place.
func normalizeScopes(scopes []string) []string {
	for i, s := range scopes {
		scopes[i] = normalizeScope(s)
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}
