package fakegoogle

import (
	"net/http"
	"slices"
)

// browserCookie is the name of the stand-in's own cookie, which tells browsers apart.
const browserCookie = "fakegoogle_session"

// A browser has accounts that are signed in at the stand-in.
type browser struct{ subjects []string }

// browserOf returns the browser of a request. It makes a new one and sets its cookie where there is none. Callers hold
// s.mu.
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

// known returns the account of a request where the user need not choose: that of login_hint, or the only one that is
// signed in. Otherwise it returns nil. Callers hold s.mu.
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
