// Command new makes a function by copying an existing one, with its tests.
package main

import (
	"errors"
	"flag"
	"fmt"
	"go/format"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const usage = `usage: go run ./deploy/new NAME [-from listlabels|createevent|dailyevent]

Copies a function's folder under the new name and adds the import line, in the checkout's top folder:
listlabels is a page, createevent a form, dailyevent a background job.
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "new:", err)
		os.Exit(1)
	}
}

// list is the file with an import line for each function.
const list = "functions/all/all.go"

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("new", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	from := f.String("from", "listlabels", "")
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || f.Parse(args[1:]) != nil || f.NArg() > 0 {
		return errors.New(strings.TrimSpace(usage))
	}
	name := args[0]
	imports, err := os.ReadFile(list)
	if err != nil {
		return fmt.Errorf("start this in the top folder of the checkout: %w", err)
	}
	if err := check(name); err != nil {
		return err
	}
	line := regexp.MustCompile(`(?m)^\t_ "(.*/)` + regexp.QuoteMeta(*from) + `"\n`)
	if !isFunction(*from) || !line.Match(imports) {
		return fmt.Errorf("-from %s: there is no such function to copy\n\n%s", *from, usage)
	}
	imports, err = format.Source(line.ReplaceAll(imports, []byte("$0\t_ \"${1}"+name+"\"\n"))) // which sorts them
	if err != nil {
		return err
	}
	if err := copyFunction(*from, name, out); err != nil {
		return err
	}
	if err := os.WriteFile(list, imports, 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe tests are those of %s: go test ./functions/%s\nTry it: go run ./deploy/local, and open http://localhost:8080/%[2]s\n", *from, name)
	return nil
}

// reserved matches names that have another meaning: in Go, at Google, or as an address of the local run.
var reserved = regexp.MustCompile(`^(main|init|internal|vendor|testdata|goog.*|app|popup|schedule)$`)

// check refuses a name that is taken, or that cannot be a Go package, a path and a Cloud Run service at once.
func check(name string) error {
	_, err := os.Stat(filepath.Join("functions", name))
	switch {
	case !regexp.MustCompile(`^[a-z][a-z0-9]{0,48}$`).MatchString(name):
		return fmt.Errorf("%q is no name: take up to 49 lower-case letters and digits, a letter first", name)
	case reserved.MatchString(name), token.IsKeyword(name):
		return fmt.Errorf("%s is a word that Go, Google or this project needs: choose another name", name)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("functions/%s is there already: choose another name", name)
	}
	return nil
}

// isFunction reports whether the folder holds a function that acts for users.
func isFunction(name string) bool {
	b, _ := os.ReadFile(filepath.Join("functions", name, name+".go"))
	return strings.Contains(string(b), "httpfunc.ForUser(") || strings.Contains(string(b), "httpfunc.ForEveryUser(")
}

// toEdit matches the lines that say what the function is and does.
var toEdit = regexp.MustCompile(`^(// Package|\t\t(Title|API|Permission|Scopes|Get|Post|EachUser|Does|Schedule|Quota):)`)

// copyFunction copies the folder, renames the function in it, and prints the lines that are to be edited.
func copyFunction(from, to string, out io.Writer) error {
	name := regexp.MustCompile(`\b` + regexp.QuoteMeta(from) + `\b`)
	root := filepath.Join("functions", from)
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := strings.ReplaceAll(path, from, to)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := name.ReplaceAllString(string(b), to)
		if filepath.Base(target) == to+".go" {
			fmt.Fprintln(out, "Edit")
			for i, line := range strings.Split(text, "\n") {
				if toEdit.MatchString(line) {
					fmt.Fprintf(out, "  %s:%d: %s\n", target, i+1, strings.TrimSpace(line))
				}
			}
		}
		return os.WriteFile(target, []byte(text), 0o644)
	})
}
