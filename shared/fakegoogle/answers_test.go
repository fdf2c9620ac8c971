package fakegoogle

import (
	"strings"
	"testing"
	"testing/fstest"
)

const listsPath = "/tasks/v1/users/@me/lists"

func tasks() fstest.MapFS {
	return fstest.MapFS{
		"tasks/v1/users/@me/lists.json": {Data: []byte(`{"kind":"tasks#taskLists","items":[{"id":"1","title":"Groceries"}]}`)},
		"v1/people%3Asearch.json":       {Data: []byte(`{"results":[]}`)},
		"README.md":                     {Data: []byte("not an answer")},
	}
}

func TestAnswers(t *testing.T) {
	// add adds the answers and returns an Authorization header of ada's.
	add := func(w *world) string {
		w.Helper()
		if err := w.AddAnswers(tasks()); err != nil {
			w.Fatal(err)
		}
		return "Bearer " + w.accessToken(ada, scopePrefix+"tasks.readonly")
	}
	sentences(t, map[string]func(*world){
		"are given by path, as far as the fields that were asked for": func(w *world) {
			token := add(w)
			if resp, body := w.get(listsPath, token); resp.StatusCode != 200 || asJSON(w.T, body) != `{"items":[{"id":"1","title":"Groceries"}],"kind":"tasks#taskLists"}` {
				w.Errorf("%d %v", resp.StatusCode, body)
			}
			if _, body := w.get(listsPath+"?fields=items/title", token); asJSON(w.T, body) != `{"items":[{"title":"Groceries"}]}` {
				w.Errorf("%v", body)
			}
			if resp, _ := w.get("/v1/people:search?q=x", token); resp.StatusCode != 200 {
				w.Errorf("a path with a colon: %d", resp.StatusCode)
			}
		},
		"are given for a live token only": func(w *world) {
			token := add(w)
			w.ExpireAccessTokens()
			for _, header := range []string{"", token} {
				if resp, _ := w.get(listsPath, header); resp.StatusCode != 401 {
					w.Errorf("%q: %d", header, resp.StatusCode)
				}
			}
		},
		"are no answer to a write": func(w *world) {
			add(w)
			if status, body := w.post(listsPath, nil); status != 404 || body["error"].(map[string]any)["errors"] == nil {
				w.Errorf("%d %v", status, body)
			}
		},
		"can fail like all others": func(w *world) {
			token := add(w)
			w.Fail("/tasks/", 1, Failure{Status: 503})
			if resp, _ := w.get(listsPath, token); resp.StatusCode != 503 {
				w.Errorf("status %d", resp.StatusCode)
			}
		},
		"do not take the place of what is built in": func(w *world) {
			if err := w.AddAnswers(fstest.MapFS{"gmail/v1/users/me/labels.json": {Data: []byte(`{"labels":[]}`)}}); err != nil {
				w.Fatal(err)
			}
			if _, body := w.get("/gmail/v1/users/me/labels", "Bearer "+w.accessToken("", gmailLabels)); len(body["labels"].([]any)) == 0 {
				w.Errorf("%v", body)
			}
		},
		"have to be JSON objects": func(w *world) {
			for _, text := range []string{"{", "[]", "null", ""} {
				files := tasks()
				files["broken.json"] = &fstest.MapFile{Data: []byte(text)}
				if err := w.AddAnswers(files); err == nil || !strings.Contains(err.Error(), "broken.json") {
					w.Errorf("%q: error %v", text, err)
				}
			}
			if resp, _ := w.get(listsPath, "Bearer "+w.accessToken("", "openid")); resp.StatusCode != 404 {
				w.Errorf("added some all the same: %d", resp.StatusCode)
			}
		},
	})
}

func TestUnknownAPI(t *testing.T) {
	w := newWorld(t)
	resp, body := w.get(listsPath+"?maxResults=10", "Bearer "+w.accessToken("", gmailLabels))
	fault := body["error"].(map[string]any)
	item := fault["errors"].([]any)[0].(map[string]any)
	message := fault["message"].(string)
	if resp.StatusCode != 404 || fault["status"] != "NOT_FOUND" || item["reason"] != "standInUnknownApi" || item["domain"] != "fakegoogle" {
		t.Errorf("%d %v", resp.StatusCode, body)
	}
	for _, want := range []string{"GET " + listsPath, "-client-secret", "standin" + listsPath + ".json"} {
		if !strings.Contains(message, want) {
			t.Errorf("the message does not say %q: %s", want, message)
		}
	}
}
