package all_test

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/httpfunc"
)

const module = "functions.local/oauth/"

// room returns which of the rooms of shared/README.md a package of ours is in.
func room(path string) string {
	name := strings.TrimPrefix(path, module)
	if folder, _, inside := strings.Cut(name, "/"); inside && name != "functions/all" && folder != "shared" {
		return folder + "/*"
	}
	return name
}

// drawn returns the arrows in the page's picture of the rooms.
func drawn(page string) []string {
	_, picture, _ := strings.Cut(page, "## Rooms")
	var arrows []string
	for line := range strings.Lines(blocks(picture, "")[0]) {
		rooms := strings.Split(strings.TrimSpace(line), " ─► ")
		for i := 1; i < len(rooms); i++ {
			arrows = append(arrows, rooms[i-1]+" ─► "+rooms[i])
		}
	}
	return arrows
}

// TestRooms pins which room may know which, as shared/README.md draws it: the arrows never run back.
func TestRooms(t *testing.T) {
	arrows := drawn(readPage(t, "shared/README.md"))
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"deploy/...", module+"functions/...", module+"shared/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		from := room(imports[0])
		if strings.HasSuffix(from, "tokenstoretest") {
			continue
		}
		for _, path := range imports[1:] {
			to := room(path)
			switch {
			case to == "shared/fakegoogle" && imports[0] != module+"deploy/local":
				t.Errorf("%s must not know the stand-in", imports[0])
			case path == "os" && !slices.Contains([]string{"deploy/*", "shared/httpfunc", "shared/tokenstore", "shared/fakegoogle"}, from):
				t.Errorf("%s must not know the environment", from)
			case strings.HasPrefix(path, module) && (from != "deploy/*" || strings.HasPrefix(to, "functions/")):
				found = append(found, from+" ─► "+to) // deploy may know all rooms of shared
			}
		}
	}
	for _, arrow := range found {
		if !slices.Contains(arrows, arrow) {
			t.Errorf("nobody drew %s", arrow)
		}
	}
	for _, arrow := range arrows {
		if !slices.Contains(found, arrow) {
			t.Errorf("nobody goes %s", arrow)
		}
	}
}

// TestFunctionIsNamedInItsFolderAlone finds the names of functions outside their folders, their lines in
// functions/all, tests, documentation, and what copies or measures just these.
func TestFunctionIsNamedInItsFolderAlone(t *testing.T) {
	except := []string{":!*_test.go", ":!*.md", ":!functions/all", ":!shared/tokenstore/tokenstoretest", ":!deploy/bench", ":!deploy/new", ":!cloudbuild.yaml"}
	for _, f := range httpfunc.Functions() {
		if f.Scopes == nil || f.Title == "Do what a test wants" {
			continue
		}
		args := append([]string{"-C", "../..", "grep", "-nw", f.Name, "--", ":!functions/" + f.Name}, except...)
		out, err := exec.Command("git", args...).Output()
		if err != nil && err.Error() != "exit status 1" { // which means that nothing was found
			t.Skipf("this is no checkout: %v", err)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "defaultReturnTo = ") || regexp.MustCompile(`^deploy/settings\.sh:\d+:.*#`).MatchString(line) {
				continue // the tutorial's default; an example in a comment
			}
			t.Errorf("%s", strings.TrimSpace(line))
		}
	}
}
