package fakegoogle

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// made is what the page of a file or an event shows.
type made struct {
	Title string
	Where string // the kind and the service, in words
	Facts []fact
	Text  string
}

type fact struct{ Name, Value string }

// add adds a fact, unless its value is empty.
func (m *made) add(name, value string) {
	if value != "" {
		m.Facts = append(m.Facts, fact{name, value})
	}
}

// serveFilePage serves the page to which a file's webViewLink leads.
func (s *Server) serveFilePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.users {
		for _, f := range a.files {
			if f.ID == r.PathValue("id") {
				s.showMade(w, r, a, f.page())
				return
			}
		}
	}
	showNotFound(w)
}

func (f *File) page() made {
	m := made{Title: f.Name, Where: "A file in Drive"}
	m.add("Type", f.MimeType)
	m.add("Size", fmt.Sprintf("%d bytes", f.Size))
	m.add("Description", f.Description)
	if f.Trashed {
		m.add("State", "In the trash")
	}
	if strings.HasPrefix(f.MimeType, "text/") && utf8.Valid(f.Content) {
		m.Text = string(f.Content)
	}
	return m
}

// serveEventPage serves the page to which an event's htmlLink leads.
func (s *Server) serveEventPage(w http.ResponseWriter, r *http.Request) {
	eid := r.URL.Query().Get("eid")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.users {
		for _, e := range a.events {
			if _, own, _ := strings.Cut(e.Link, "?eid="); own == eid && !e.purged {
				s.showMade(w, r, a, e.page())
				return
			}
		}
	}
	showNotFound(w)
}

func (e *Event) page() made {
	m := made{Title: cmp.Or(e.Summary, "(No title)"), Where: "An event in Calendar"}
	m.add("Starts", e.Start.words())
	m.add("Ends", e.End.words())
	m.add("Where", e.Location)
	m.add("Guests", strings.Join(e.Attendees, ", "))
	m.add("Google Meet", e.Meet)
	m.add("Description", e.Description)
	if e.Cancelled {
		m.add("State", "Deleted")
	}
	return m
}

func (t EventTime) words() string {
	return strings.TrimSpace(strings.Replace(cmp.Or(t.Date, t.DateTime), "T", " ", 1) + " " + t.TimeZone)
}

// showMade shows the page of something that owner has, to nobody else. As at Google, the reader is the account that
// authuser names, by its address or by its number among those that are signed in in this browser; without authuser it is
// the browser's first account. Where nobody is signed in, the page is shown all the same. Callers hold s.mu.
func (s *Server) showMade(w http.ResponseWriter, r *http.Request, owner *account, m made) {
	b := s.browserOf(w, r)
	reader := s.account(r.URL.Query().Get("authuser"))
	if reader == nil && len(b.subjects) > 0 {
		place := 0
		fmt.Sscan(r.URL.Query().Get("authuser"), &place)
		reader = s.account(b.subjects[min(max(place, 0), len(b.subjects)-1)])
	}
	if reader != nil && reader != owner {
		show(w, http.StatusForbidden, errorPage, page{
			Heading: "You need access", Code: "Error 403: forbidden",
			Detail: "You are " + reader.Email + " here, and this belongs to another account. A link names its account with authuser=.",
		})
		return
	}
	show(w, http.StatusOK, madePage, page{User: owner.User, Made: m})
}

func showNotFound(w http.ResponseWriter) {
	show(w, http.StatusNotFound, errorPage, page{
		Heading: "There is nothing here", Code: "Error 404: notFound", Detail: "It was deleted, or it was made before the stand-in was started again.",
	})
}
