package tokenstore_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestFile(t *testing.T) {
	tokenstoretest.Conformance(t, func(t *testing.T) tokenstore.Store { return openFile(t, newPath(t)) })
}

func TestFileRestart(t *testing.T) {
	path := newPath(t)
	f := openFile(t, path)
	later := time.Now().Add(time.Hour)
	put(t, f, tokenstoretest.Full("app:Ab12cd34Ef56:user/1 ü"))
	gone := tokenstoretest.Full("gone")
	put(t, f, gone)
	marked := &tokenstore.Grant{Owner: "marked", Status: tokenstore.NeedsConsent, Reason: tokenstore.ReasonDamaged}
	put(t, f, marked)
	for _, err := range []error{
		f.Delete(t.Context(), gone),
		f.UseOnce(t.Context(), "id/1", later),
		f.SetCursor(t.Context(), "weekly", "a/b"), f.SetCursor(t.Context(), "daily", "c"), f.SetCursor(t.Context(), "daily", ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	again := openFile(t, path)
	if string(again.Keyset.JSON()) != string(f.Keyset.JSON()) {
		t.Error("another keyset")
	}
	for _, want := range []*tokenstore.Grant{tokenstoretest.Full("app:Ab12cd34Ef56:user/1 ü"), marked} {
		if got := get(t, again, want.Owner); !reflect.DeepEqual(tokenstore.Exported(got), tokenstore.Exported(want)) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if _, err := again.Get(t.Context(), "gone"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("what was deleted: %v", err)
	}
	if err := again.UseOnce(t.Context(), "id/1", later); !errors.Is(err, tokenstore.ErrUsed) {
		t.Errorf("an id that was used: %v", err)
	}
	for job, want := range map[string]string{"weekly": "a/b", "daily": ""} {
		if got, err := again.Cursor(t.Context(), job); got != want || err != nil {
			t.Errorf("Cursor(%s) = %q, %v", job, got, err)
		}
	}
	g := get(t, again, marked.Owner)
	g.Email = "new@example.com"
	put(t, again, g)
	if got := get(t, openFile(t, path), marked.Owner).Email; got != "new@example.com" {
		t.Errorf("a change after the restart: %q", got)
	}

	t.Run("marks that have expired leave the file", func(t *testing.T) {
		again.Now = func() time.Time { return later.Add(time.Hour) }
		for i := range 100 {
			if err := again.UseOnce(t.Context(), fmt.Sprint("mark", i), later); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("flows/")); n > 64 {
			t.Errorf("%d marks", n)
		}
	})
}

func TestFileSecrets(t *testing.T) {
	path := newPath(t)
	g := tokenstoretest.Full("alice")
	g.RefreshToken, g.AccessToken, g.Apart.Token = "canary-refresh", "canary-access", "canary-apart"
	put(t, openFile(t, path), g)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"canary", base64.StdEncoding.EncodeToString([]byte("canary"))} {
		if bytes.Contains(b, []byte(token)) {
			t.Error("a token in clear")
		}
	}
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := tokenstore.OpenFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a file of mode %v: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	openFile(t, path)
}

func TestFileDamaged(t *testing.T) {
	path := newPath(t)
	put(t, openFile(t, path), tokenstoretest.Full("alice"))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := newPath(t)
	put(t, openFile(t, other), tokenstoretest.Full("alice"))
	foreign, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, _ = bytes.Cut(foreign, []byte(`"documents"`))
	keyset, _, _ := bytes.Cut(whole, []byte(`"documents"`))
	document := func(name, fields string) []byte {
		return fmt.Appendf(nil, `%s"documents": {%q: {"fields": {%s}}}}`, keyset, name, fields)
	}
	for name, content := range map[string][]byte{
		"nothing":                           {},
		"null":                              []byte("null"),
		"no keyset":                         []byte(`{"documents": {}}`),
		"garbage":                           []byte("canary"),
		"half a file":                       whole[:len(whole)/2],
		"a file and something behind":       append(bytes.Clone(whole), "canary"...),
		"a file and another":                append(bytes.Clone(whole), whole...),
		"a list in place of documents":      fmt.Appendf(nil, `%s"documents": ["canary"]}`, keyset),
		"something that nobody knows":       fmt.Appendf(nil, `%s"documents": {}, "canary": 1}`, keyset),
		"a keyset that is none":             []byte(`{"keyset": {"canary": 1}, "documents": {}}`),
		"a document that is none":           fmt.Appendf(nil, `%s"documents": {"grants/alice": "canary"}}`, keyset),
		"a document of another kind":        document("others/alice", ""),
		"a document without a kind":         document("alice", ""),
		"an owner that is none":             document("grants/", `"status": {"stringValue": "needs_consent"}`),
		"an id that nobody writes":          document("grants/a%62", `"status": {"stringValue": "needs_consent"}`),
		"a grant without a status":          document("grants/alice", ""),
		"a grant with a token in clear":     document("grants/alice", `"status": {"stringValue": "active"}, "refresh_token": {"stringValue": "canary"}`),
		"a token that does not open":        bytes.Replace(whole, []byte(`"refresh_token"`), []byte(`"access_token"`), 1),
		"a mark without a time":             document("flows/id", `"expires": {"stringValue": "canary"}`),
		"a cursor that is a number":         document("jobs/weekly", `"cursor": {"integerValue": "1"}`),
		"documents that another key sealed": append(append(bytes.Clone(keyset), `"documents"`...), foreign...),
	} {
		t.Run(name+" is an error that quotes nothing, and stays as it is", func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := tokenstore.OpenFile(path)
			if f != nil || err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore a copy") || strings.Contains(err.Error(), "canary") {
				t.Errorf("OpenFile = %v", err)
			}
			if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, content) {
				t.Errorf("the file was changed; %v", err)
			}
		})
	}

	t.Run("what is no file is an error", func(t *testing.T) {
		dir := t.TempDir()
		for _, path := range []string{dir, filepath.Join(dir, "none", "data.json")} {
			if _, err := tokenstore.OpenFile(path); err == nil {
				t.Errorf("%s was taken", path)
			}
		}
	})
}

func TestFileThatCannotBeWritten(t *testing.T) {
	path := newPath(t)
	f := openFile(t, path)
	g := tokenstoretest.Full("alice")
	put(t, f, g)
	if err := f.SetCursor(t.Context(), "daily", "alice"); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(path+".new", "full")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	g.Email = "new@example.com"
	for method, err := range map[string]error{
		"Put":           f.Put(t.Context(), g),
		"a first Put":   f.Put(t.Context(), tokenstoretest.Full("bob")),
		"Delete":        f.Delete(t.Context(), get(t, f, "alice")),
		"UseOnce":       f.UseOnce(t.Context(), "id", time.Now().Add(time.Hour)),
		"SetCursor":     f.SetCursor(t.Context(), "daily", "bob"),
		"its end":       f.SetCursor(t.Context(), "daily", ""),
		"another job's": f.SetCursor(t.Context(), "weekly", "bob"),
	} {
		if !errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, before) {
		t.Errorf("the file was changed; %v", err)
	}
	if got := get(t, f, "alice").Email; got == g.Email {
		t.Error("a change that is not in the file is answered as done")
	}
	if _, err := f.Get(t.Context(), "bob"); !errors.Is(err, tokenstore.ErrNotFound) {
		t.Errorf("a grant that is not in the file: %v", err)
	}
	for job, want := range map[string]string{"daily": "alice", "weekly": ""} {
		if got, err := f.Cursor(t.Context(), job); got != want || err != nil {
			t.Errorf("Cursor(%s) = %q, %v", job, got, err)
		}
	}
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	put(t, f, g)
	if err := f.UseOnce(t.Context(), "id", time.Now().Add(time.Hour)); err != nil {
		t.Errorf("the id counts as used: %v", err)
	}

	t.Run("a grant that no file can hold does not stop the next", func(t *testing.T) {
		odd := tokenstoretest.Full("odd")
		odd.Expiry = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := f.Put(t.Context(), odd); err == nil || errors.Is(err, tokenstore.ErrUnavailable) {
			t.Errorf("Put = %v", err)
		}
		put(t, f, tokenstoretest.Full("bob"))
	})

	t.Run("a file that was left half written is no harm", func(t *testing.T) {
		if err := os.WriteFile(path+".new", []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
		put(t, f, tokenstoretest.Full("carol"))
		get(t, openFile(t, path), "carol")
	})
}

func TestFileOfTwo(t *testing.T) {
	path := newPath(t)
	first, second := openFile(t, path), openFile(t, path)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	put(t, first, tokenstoretest.Full("alice"))
	if err := second.Put(t.Context(), tokenstoretest.Full("bob")); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("Put over what another process wrote: %v", err)
	}
	if err := os.Chtimes(path, time.Time{}, before.ModTime()); err != nil { // as if both had written at the same moment
		t.Fatal(err)
	}
	if err := second.Put(t.Context(), tokenstoretest.Full("bob")); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("Put over what another process wrote at the same moment: %v", err)
	}
	edited, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(edited, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := first.Put(t.Context(), tokenstoretest.Full("bob")); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("Put over what an editor wrote: %v", err)
	}
	get(t, openFile(t, path), "alice")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := first.Put(t.Context(), tokenstoretest.Full("bob")); !errors.Is(err, tokenstore.ErrUnavailable) {
		t.Errorf("Put where the file is gone: %v", err)
	}
}

// TestFileKilled kills a process that counts up in a grant, at any moment.
func TestFileKilled(t *testing.T) {
	const env = "TOKENSTORE_TEST_FILE"
	if path := os.Getenv(env); path != "" {
		f := openFile(t, path)
		for {
			g, err := tokenstore.Upsert(t.Context(), f, "alice", func(g *tokenstore.Grant) error {
				n, _ := strconv.Atoi(g.Email)
				g.Email, g.Status = strconv.Itoa(n+1), tokenstore.NeedsConsent
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("done %s\n", g.Email)
		}
	}
	path := newPath(t)
	for round := range 5 {
		counter := exec.Command(os.Args[0], "-test.run=^TestFileKilled$")
		counter.Env = append(os.Environ(), env+"="+path)
		out, err := counter.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := counter.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		for range 3 + 4*round {
			if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "done ") {
				t.Fatalf("%q, %v", line, err)
			}
		}
		counter.Process.Kill()
		rest, _ := io.ReadAll(lines)
		counter.Wait()
		done := 0
		for line := range strings.Lines(string(rest)) {
			if n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "done "), "\n")); err == nil && strings.HasSuffix(line, "\n") {
				done = n
			}
		}
		stored, err := strconv.Atoi(get(t, openFile(t, path), "alice").Email)
		if err != nil || stored < done || done > 0 && stored > done+1 {
			t.Errorf("%d changes were reported as done, %d are in the file; %v", done, stored, err)
		}
	}
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "data.json") }

func openFile(t *testing.T, path string) *tokenstore.File {
	t.Helper()
	f, err := tokenstore.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
