package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"functions.local/oauth/shared/httpfunc"
)

func TestStage(t *testing.T) {
	if testing.Short() {
		t.Skip("it runs go mod tidy for every stage")
	}
	inModule(t, map[string]string{
		"functions/hello/hello.go":           "package hello\n\nimport (\n\t_ \"embed\"\n\n\t_ \"functions.local/oauth/shared/httpfunc\"\n\t\"functions.local/oauth/shared/used\"\n)\n\n//go:embed page.html\nvar page string\n\nfunc init() { used.Use(page) }\n",
		"functions/hello/page.html":          "page",
		"functions/hello/hello_test.go":      "package hello\n",
		"functions/hello/client_secret.json": `{"web":{}}`,
		"functions/hello/.env":               "TOKEN_KEYSET=",
		"functions/other/other.go":           "package other\n\nimport _ \"functions.local/oauth/shared/httpfunc\"\n",
		"functions/all/all.go":               "package all\n\nimport (\n\t_ \"functions.local/oauth/functions/hello\"\n\t_ \"functions.local/oauth/functions/other\"\n)\n",
		"shared/httpfunc/httpfunc.go":        "package httpfunc\n",
		"functions/all/story_test.go":        "package all_test\n",
		"functions/empty/README":             "no package",
		"shared/used/used.go":                "package used\n\nfunc Use(string) {}\n",
		"shared/used/linux_linux.go":         "package used\n",
		"shared/used/darwin_darwin.go":       "package used\n",
		"shared/unused/unused.go":            "package unused\n",
		"main.go":                            "package main\n",
	})
	want := []string{"function.go", "functions/hello/hello.go", "functions/hello/page.html", "go.mod", "go.sum",
		"shared/httpfunc/httpfunc.go", "shared/httpfunc/words.go", "shared/used/linux_linux.go", "shared/used/used.go"}

	t.Run("lays out what a build for Linux reads, and says how much that is", func(t *testing.T) {
		t.Setenv("GOOS", "darwin") // deploying from a Mac changes nothing
		dir := filepath.Join(t.TempDir(), "new/stage")
		s, err := layOut("hello", dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, total := tree(t, dir)
		if !slices.Equal(got, want) || s.files != len(want) || s.size != total {
			t.Errorf("%d files, %d bytes: %v\nwant %d: %v", s.files, s.size, got, total, want)
		}
	})

	t.Run("replaces a former stage", func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"other", "hello"} {
			if _, err := layOut(name, dir, nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, _ := tree(t, dir); !slices.Equal(got, want) {
			t.Errorf("%v\nwant %v", got, want)
		}
	})

	t.Run("lays out all functions in one", func(t *testing.T) {
		dir := t.TempDir()
		if _, err := layOut("app", dir, nil); err != nil {
			t.Fatal(err)
		}
		got, _ := tree(t, dir)
		for _, file := range []string{"functions/all/all.go", "functions/hello/hello.go", "functions/other/other.go"} {
			if !slices.Contains(got, file) {
				t.Errorf("no %s in %v", file, got)
			}
		}
		if strings.Contains(strings.Join(got, " "), "_test.go") {
			t.Errorf("tests are uploaded: %v", got)
		}
	})

	t.Run("gives the same version for the same files, and another for a changed word", func(t *testing.T) {
		version := func(title string) string {
			s, err := layOut("hello", t.TempDir(), []httpfunc.Function{{Name: "other", Title: title, Scopes: httpfunc.Scopes{{"a", "b"}}}})
			if err != nil {
				t.Fatal(err)
			}
			return s.version
		}
		first := version("Hello")
		if again, changed := version("Hello"), version("Hallo"); len(first) != 40 || again != first || changed == first {
			t.Errorf("%s, again %s, changed %s", first, again, changed)
		}
	})

	for _, name := range []string{"empty", "nope", "all", "", ".", "../shared/used", "hello/..."} {
		t.Run("refuses the function "+name+" and names those that there are", func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "stage")
			_, err := layOut(name, dir, nil)
			if err == nil || !strings.Contains(err.Error(), "there are hello, other") {
				t.Errorf("layOut = %v", err)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the directory was made all the same")
			}
		})
	}

	for what, files := range map[string]map[string]string{
		"that holds something else":        {"notes.txt": "mine"},
		"with a function.go of its own":    {"function.go": "package function\n"},
		"that is this module":              nil,
		"whose function.go is a directory": {"function.go/x": ""},
	} {
		t.Run("refuses a directory "+what+" and leaves it alone", func(t *testing.T) {
			dir := "."
			if files != nil {
				dir = t.TempDir()
				write(t, dir, files)
			}
			before, size := tree(t, dir)
			_, err := layOut("hello", dir, nil)
			if err == nil || !strings.Contains(err.Error(), "no former stage") {
				t.Errorf("layOut = %v", err)
			}
			if after, now := tree(t, dir); !slices.Equal(before, after) || size != now {
				t.Errorf("%v, before %v", after, before)
			}
		})
	}

	t.Run("refuses a file", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		write(t, filepath.Dir(file), map[string]string{"file": "mine"})
		if _, err := layOut("hello", file, nil); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("layOut = %v", err)
		}
	})

	t.Run("refuses a module that is a folder of this machine", func(t *testing.T) {
		mod, err := os.ReadFile("go.mod")
		if err != nil {
			t.Fatal(err)
		}
		write(t, ".", map[string]string{"go.mod": string(mod) + "\nreplace golang.org/x/oauth2 => ../oauth2\n"})
		_, err = layOut("hello", t.TempDir(), nil)
		write(t, ".", map[string]string{"go.mod": string(mod)})
		if err == nil || !strings.Contains(err.Error(), "golang.org/x/oauth2 by the folder ../oauth2") {
			t.Errorf("layOut = %v", err)
		}
	})

	t.Run("tells what the go command says", func(t *testing.T) {
		write(t, ".", map[string]string{"functions/other/other.go": "package other\n\nimport _ \"functions.local/oauth/shared/gone\"\n"})
		if _, err := layOut("other", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "shared/gone") {
			t.Errorf("layOut = %v", err)
		}
	})
}

// inModule makes a module of these files, with our go.mod and go.sum, the working directory.
func inModule(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(dir, name), filepath.Join("../..", name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, files)
	t.Chdir(dir)
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tree returns the files under dir and their total size.
func tree(t *testing.T, dir string) (files []string, size int64) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files, size = append(files, path), size+info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, size
}
