package tokenstoretest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// RawDocuments returns everything that the emulator holds for the project, as its REST API shows it, and
// behind each document its decoded bytes values. A search in it finds what is stored in clear, as text or
// as bytes.
func RawDocuments(t testing.TB, addr, project string) []byte {
	t.Helper()
	var all bytes.Buffer
	for _, collection := range pages(t, "POST", root(addr, project)+":listCollectionIds", "collectionIds") {
		var id string
		if err := json.Unmarshal(collection, &id); err != nil {
			t.Fatal(err)
		}
		for _, doc := range pages(t, "GET", root(addr, project)+"/"+url.PathEscape(id), "documents") {
			all.Write(doc)
			all.WriteByte('\n')
			writeBytesValues(t, &all, doc)
		}
	}
	return all.Bytes()
}

// RawDocument returns the fields of one document, such as "grants/alice", as the REST API shows
// them, or nil if there is none.
func RawDocument(t testing.TB, addr, project, document string) map[string]json.RawMessage {
	t.Helper()
	status, body := rest(t, "GET", root(addr, project)+"/"+document, nil)
	if status == http.StatusNotFound {
		return nil
	}
	var doc struct {
		Fields map[string]json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", document, status, body)
	}
	return doc.Fields
}

// RawPatch overwrites fields of one document, such as "grants/alice", with REST values, such as
// {"status": {"integerValue": "7"}}, and removes those that are null. Other fields stay.
func RawPatch(t testing.TB, addr, project, document, fields string) {
	t.Helper()
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(fields), &values); err != nil {
		t.Fatalf("%s: %v", fields, err)
	}
	query := url.Values{}
	for name, value := range values {
		query.Add("updateMask.fieldPaths", "`"+name+"`")
		if string(value) == "null" {
			delete(values, name)
		}
	}
	body, err := json.Marshal(map[string]any{"fields": values})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := rest(t, "PATCH", root(addr, project)+"/"+document+"?"+query.Encode(), body); status != http.StatusOK {
		t.Fatalf("PATCH %s: %d %s", document, status, answer)
	}
}

// root returns the address of the project's documents in the REST API.
func root(addr, project string) string {
	return fmt.Sprintf("http://%s/v1/projects/%s/databases/(default)/documents", addr, project)
}

// pages returns the items of all pages of a list, in which they are named items.
func pages(t testing.TB, method, address, items string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	for token := ""; ; {
		target, body := address, []byte(nil)
		if method == "POST" {
			body = fmt.Appendf(nil, `{"pageSize": 300, "pageToken": %q}`, token)
		} else {
			target += "?" + url.Values{"pageSize": {"300"}, "pageToken": {token}}.Encode()
		}
		status, answer := rest(t, method, target, body)
		var page map[string]json.RawMessage
		if err := json.Unmarshal(answer, &page); err != nil || status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, address, status, answer)
		}
		var some []json.RawMessage
		if raw, ok := page[items]; ok {
			if err := json.Unmarshal(raw, &some); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, some...)
		token = strings.Trim(string(page["nextPageToken"]), `"`)
		if token == "" {
			return all
		}
	}
}

func rest(t testing.TB, method, address string, body []byte) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer owner")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func writeBytesValues(t testing.TB, w io.Writer, doc []byte) {
	t.Helper()
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				item := v[name]
				if text, ok := item.(string); ok && name == "bytesValue" {
					b, err := base64.StdEncoding.DecodeString(text)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(w, "%s\n", b)
				}
				walk(item)
			}
		}
	}
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	walk(v)
}
