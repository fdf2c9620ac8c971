package fakegoogle

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"strings"
)

// answersFolder is the folder in a function's own in which its answers are.
const answersFolder = "standin"

// AddAnswers lets the server answer GET for APIs that are not built in. fsys holds a file for each path, with a JSON
// object: tasks/v1/users/@me/lists.json is the answer for /tasks/v1/users/@me/lists. A colon in a path is %3A in the
// file's name. A function keeps its answers in its folder under standin/, where its test finds them by
// os.DirFS("standin"), and the local run as well.
//
// Such a request needs a valid access token; its scopes are not checked. A path that is built in, or was added before,
// keeps its answer. If a file is not a JSON object, AddAnswers returns an error and adds nothing.
func (s *Server) AddAnswers(fsys fs.FS) error {
	added := map[string]map[string]any{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		path, isJSON := strings.CutSuffix(name, ".json")
		if !isJSON {
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		var body map[string]any
		if err := json.Unmarshal(text, &body); err != nil || body == nil {
			return fmt.Errorf("fakegoogle: %s is no JSON object", name)
		}
		added["/"+strings.ReplaceAll(path, "%3A", ":")] = body
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(added, s.answers)
	s.answers = added
	return nil
}

// serveUnknown answers a request that is not built in: with an answer that was added, or with an error that tells the
// developer what to do. The error's domain is this package's, since Google has no such error.
func (s *Server) serveUnknown(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	body := s.answers[r.URL.Path]
	s.mu.Unlock()
	if body != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.api(endpoint{}, func(*call) (map[string]any, *apiError) { return body, nil })(w, r)
		return
	}
	file := answersFolder + strings.ReplaceAll(r.URL.Path, ":", "%3A") + ".json"
	message := fmt.Sprintf("The local stand-in for Google has no %s %s. Use the real Google (-client-secret client_secret.json)", r.Method, r.URL.Path)
	if r.Method == http.MethodGet {
		message += fmt.Sprintf(", or put the answer into the file %s in the function's folder", file)
	}
	writeAPIError(w, &apiError{status: http.StatusNotFound, domain: "fakegoogle", reason: "standInUnknownApi", message: message + "."})
}
