package config

import (
	"net/url"
	"slices"
	"strings"
)

const (
	googleIssuer   = "https://accounts.google.com"
	firebaseIssuer = "https://securetoken.google.com/" // and the project
)

func (p *parser) authIssuer() string {
	const name = "AUTH_ISSUER"
	v := p.getenv(name)
	if v == "" {
		return ""
	}
	u, err := url.Parse(v)
	switch {
	case err != nil || !isPage(u) || strings.ContainsAny(v, "?#"):
		p.fault(name, "is not an issuer: it should look like "+googleIssuer+" or "+firebaseIssuer+"PROJECT, exactly as its tokens have it in iss")
	case !p.isSafe(u):
		p.fault(name, "must begin with https:// (http:// serves localhost only, where nothing is deployed): its keys come from there")
	case strings.HasSuffix(v, "/") && (v == googleIssuer+"/" || strings.HasPrefix(v, firebaseIssuer)):
		p.fault(name, "ends with a slash, which this issuer's tokens do not have in iss: take it off")
	default:
		return v
	}
	return ""
}

func (p *parser) authAudience(c *Config) string {
	const name = "AUTH_AUDIENCE"
	v := p.getenv(name)
	project, isFirebase := strings.CutPrefix(c.AuthIssuer, firebaseIssuer)
	switch {
	case v == "" && c.AuthIssuer == googleIssuer:
		return c.ClientID
	case v == "" && isFirebase:
		return project
	case v == "" && c.AuthIssuer != "":
		p.fault(name, "is not set: set it to the aud of the ID tokens of AUTH_ISSUER")
	case v == "":
	case p.getenv("AUTH_ISSUER") == "":
		p.fault(name, "is set without AUTH_ISSUER: set both or none")
	case strings.ContainsAny(v, " ,\t\r\n"):
		p.fault(name, "is one audience, without spaces or commas")
	case c.BaseURL != "" && strings.HasPrefix(strings.ToLower(v), strings.ToLower(c.BaseURL)):
		p.fault(name, "begins with BASE_URL, which is the audience of those who start jobs: a service account would be a user")
	default:
		return v
	}
	return ""
}

func (p *parser) frontEnds() []string {
	const name, example = "FRONT_ENDS", "https://app.example.com/connected"
	var pages []string
	for _, v := range strings.Fields(p.getenv(name)) {
		u, err := url.Parse(v)
		switch {
		case err != nil || !isPage(u) || strings.ContainsAny(v, "\"'<>\\,"):
			p.fault(name, "names what is not the URL of a page: list pages such as "+example+" with spaces between them")
		case strings.Contains(v, "#"):
			p.fault(name, "names a page with a fragment, where the answer's code belongs: take it off")
		case !p.isSafe(u):
			p.fault(name, "names a page without https:// (http:// serves localhost only, where nothing is deployed)")
		default:
			u.Path = "/" + strings.TrimPrefix(u.Path, "/")
			page := origin(u) + u.EscapedPath()
			if u.RawQuery != "" {
				page += "?" + u.RawQuery
			}
			pages = append(pages, page)
		}
	}
	return pages
}

// Origins returns the origins of the pages in FrontEnds, each once, as browsers send them in the header Origin.
func (c *Config) Origins() []string {
	var origins []string
	for _, page := range c.FrontEnds {
		u, _ := url.Parse(page)
		if o := origin(u); !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	return origins
}

func (p *parser) domains() []string {
	const name, characters = "ALLOWED_DOMAINS", "abcdefghijklmnopqrstuvwxyz0123456789-."
	domains := strings.Fields(strings.ToLower(p.getenv(name)))
	for _, d := range domains {
		if strings.Trim(d, characters) != "" || !strings.Contains(strings.Trim(d, "."), ".") || strings.Trim(d, ".") != d {
			p.fault(name, "names what is not a domain: list domains such as example.com with spaces between them")
			return nil
		}
	}
	return domains
}
