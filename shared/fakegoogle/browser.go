package fakegoogle

import (
	"net/http"
	"slices"
)

// browserCookie tells one browser from another at the stand-in itself.
const browserCookie = "fakegoogle_session"

// browser is the accounts that are signed in in one browser.
type browser struct{ subjects []string }

// browserOf finds the browser of a request, or makes a new one and gives it its cookie. Callers hold s.mu.
func (s *Server) browserOf(w http.ResponseWriter, r *http.Request) *browser {
	if c, err := r.Cookie(browserCookie); err == nil {
		if b := s.browsers[c.Value]; b != nil {
			return b
		}
	}
	id, b := randomText(), &browser{}
	s.browsers[id] = b
	http.SetCookie(w, &http.Cookie{Name: browserCookie, Value: id, Path: s.prefix() + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return b
}

func (b *browser) signIn(sub string) {
	if !slices.Contains(b.subjects, sub) {
		b.subjects = append(b.subjects, sub)
	}
}

// known is the account that the request means without asking: the hinted one, or the only one that is
// signed in; nil if the user must choose. Callers hold s.mu.
func (s *Server) known(req *consentRequest, b *browser) *account {
	if req.prompts("select_account") {
		return nil
	}
	if who := s.account(req.hint); who != nil {
		return who
	}
	if len(b.subjects) == 1 {
		return s.account(b.subjects[0])
	}
	return nil
}
