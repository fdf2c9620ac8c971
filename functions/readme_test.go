package functions_test

import (
	"bytes"
	"encoding/json"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestReadme compiles the functions that the README tells how to add.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```go\n(// Package (\\w+) .*?)```").FindAllSubmatch(readme, -1)
	if len(snippets) < 2 {
		t.Fatalf("%d functions in the README, want one for a user and one for every user", len(snippets))
	}
	for _, s := range snippets {
		source, name := s[1], string(s[2])
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, name+".go")
			if err := os.WriteFile(file, source, 0o600); err != nil {
				t.Fatal(err)
			}
			overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "functions", name, name+".go"): file}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
				t.Fatal(err)
			}
			if formatted, err := format.Source(source); err != nil || !bytes.Equal(formatted, source) {
				t.Errorf("not formatted: %v", err)
			}
			if lines := bytes.Count(source, []byte("\n")); lines > 30 {
				t.Errorf("%d lines: a function is to be about 25", lines)
			}
			if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "functions.local/oauth/functions/"+name).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
