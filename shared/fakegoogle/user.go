package fakegoogle

import "slices"

// A User is a Google account.
type User struct {
	Subject, Email, Name string
	Domain               string   // of a Google Workspace account, the hd of its ID tokens; "" for any other account
	Labels               []string // Gmail labels by name; a name such as INBOX is one of Google's own labels
}

// An account is a user with all that Google keeps for them.
type account struct {
	User
	fileIDs  map[string]bool // generated ids; true once a file has it
	files    []*File
	events   []*Event
	projects []Project
}

// AddUser adds an account. It replaces one with the same Subject.
func (s *Server) AddUser(u User) {
	u.Labels = slices.Clone(u.Labels)
	a := &account{User: u, fileIDs: map[string]bool{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, old := range s.users {
		if old.Subject == u.Subject {
			s.users[i] = a
			return
		}
	}
	s.users = append(s.users, a)
}

// SetLabels replaces the Gmail labels of the user with that subject.
func (s *Server) SetLabels(sub string, labels []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(sub); a != nil {
		a.Labels = slices.Clone(labels)
	}
}

// Users returns the accounts, in the order in which they were added.
func (s *Server) Users() []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	var users []User
	for _, a := range s.users {
		u := a.User
		u.Labels = slices.Clone(u.Labels)
		users = append(users, u)
	}
	return users
}

// account returns the account with this subject or email, or nil. Callers hold s.mu.
func (s *Server) account(hint string) *account {
	for _, a := range s.users {
		if hint != "" && (a.Subject == hint || a.Email == hint) {
			return a
		}
	}
	return nil
}

func (s *Server) addDefaultUsers() {
	system := []string{"INBOX", "SENT", "DRAFT", "STARRED", "IMPORTANT", "TRASH", "SPAM"}
	s.AddUser(User{
		Subject: "110248495921238986420", Email: "ada@example.com", Name: "Ada Lovelace",
		Labels: append(slices.Clone(system), "Analytical Engine", "Letters/Babbage", "Receipts"),
	})
	s.AddUser(User{
		Subject: "107691503500061507150", Email: "grace@example.com", Name: "Grace Hopper",
		Labels: append(slices.Clone(system), "COBOL", "Navy", "Nanoseconds & wires", "Travel"),
	})
	s.SetProjects("110248495921238986420", []Project{
		{ID: "analytical-engine", Name: "Analytical Engine", Number: "184300000001"},
		{ID: "notes-on-bernoulli", Name: "Notes on Bernoulli", Number: "184300000002"},
	})
	s.SetProjects("107691503500061507150", []Project{
		{ID: "flow-matic", Name: "FLOW-MATIC", Number: "195500000001"},
	})
}
