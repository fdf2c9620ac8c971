package functions_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRooms pins which room may know which: the arrows never run back.
func TestRooms(t *testing.T) {
	const module = "functions.local/oauth/"
	allowed := map[string][]string{
		"functions":         {"shared/httpfunc"},
		"shared/httpfunc":   {"shared/config", "shared/oauthflow", "shared/seal", "shared/session", "shared/tokenstore", "shared/userclient"},
		"shared/userclient": {"shared/seal"},
		"shared/oauthflow":  {"shared/seal", "shared/tokenstore"},
		"shared/tokenstore": {"shared/seal"},
		"shared/session":    {"shared/seal"},
		"shared/config":     {"shared/seal"},
		"shared/seal":       nil,
		"shared/fakegoogle": nil,
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"functions/...", module+"shared/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		room := strings.TrimPrefix(imports[0], module)
		if strings.HasSuffix(room, "tokenstoretest") || room == "functions" || room == "functions/all" {
			continue
		}
		if strings.HasPrefix(room, "functions/") {
			room = "functions"
		}
		may, known := allowed[room]
		if !known {
			t.Errorf("%s is a room that nobody planned", room)
		}
		for _, path := range imports[1:] {
			if other, ours := strings.CutPrefix(path, module); ours && !slices.Contains(may, other) {
				t.Errorf("%s must not know %s", room, other)
			}
			if room != "shared/fakegoogle" && room != "shared/httpfunc" && room != "shared/tokenstore" && path == "os" {
				t.Errorf("%s must not know the environment", room)
			}
		}
	}
}
