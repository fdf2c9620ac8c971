package config

import (
	"encoding/json"

	"functions.local/oauth/shared/seal"
)

func (p *parser) client() (id string, secret seal.Secret, redirectURIs []string) {
	const name = "OAUTH_CLIENT_JSON"
	type client struct {
		ID           string   `json:"client_id"`
		Secret       string   `json:"client_secret"`
		RedirectURIs []string `json:"redirect_uris"`
	}
	var file struct {
		Web, Installed *client
		Type           string
	}
	v := seal.Pasted(p.getenv(name))
	json.Unmarshal([]byte(v), &file) // what could not be read stays empty, which is found below
	switch {
	case v == "":
		p.fault(name, "is not set: set it to the content of the client_secret.json that the Google Cloud console offers when a client or a secret is made")
	case !json.Valid([]byte(v)) || v[0] != '{':
		p.fault(name, "is not JSON ("+seal.NotJSON(v)+"): set it to the content of client_secret.json, not to its path")
	case file.Installed != nil:
		p.fault(name, `is a client of the type "installed" (desktop): make one of the type "Web application"`)
	case file.Type == "service_account":
		p.fault(name, `is the key of a service account, which acts for itself: make an OAuth client of the type "Web application"`)
	case file.Web == nil || file.Web.ID == "":
		p.fault(name, `has no "web" client with a client_id: take the client_secret.json of a client of the type "Web application"`)
	case file.Web.Secret == "":
		p.fault(name, "has no client_secret, which the Google Cloud console shows only when it is made: add a new secret to this client there, and take the file that is offered then")
	default:
		return file.Web.ID, seal.Secret(file.Web.Secret), file.Web.RedirectURIs
	}
	return "", "", nil
}

func (p *parser) keyset() *seal.Keyset {
	const name = "TOKEN_KEYSET"
	v := p.getenv(name)
	if seal.Pasted(v) == "" {
		p.fault(name, "is not set: where there never was one, make one with `go run ./deploy/keyset new`")
		return nil
	}
	k, err := seal.Parse(v)
	if err != nil {
		p.fault(name, "does not open ("+err.Error()+"): restore the version before, since a new keyset would cost every grant")
	}
	return k
}
