package all_test

import (
	"net/http"
	"testing"
	"time"

	"functions.local/oauth/shared/tokenstore"
)

// TestARefreshThatCoversLessAsksOnce: a refresh may cover only what the first consent did. Only a consent with
// prompt=consent brings a refresh token that covers all.
func TestARefreshThatCoversLessAsksOnce(t *testing.T) {
	w := newWorld(t, tokenstore.NewMemory(), nil)
	b := w.signedIn(ada)
	expect(t, b.visit("/createfile", ada), http.StatusOK, "<form")
	w.fake.SetNarrow(true)
	w.clock.advance(2 * time.Hour)
	asked := b.get("/createfile")
	expect(t, asked, http.StatusFound)
	if prompt := queryOf(t, asked.location()).Get("prompt"); prompt != "consent" {
		t.Errorf("prompt %q", prompt)
	}
	expect(t, b.visit("/createfile", ada), http.StatusOK, "<form")
	w.clock.advance(2 * time.Hour)
	expect(t, b.get("/createfile"), http.StatusOK, "<form")
	expect(t, b.get("/listlabels"), http.StatusOK, "label(s) found:")
}
