// Command functions checks the settings of the deployment as the functions do, and prints what the scripts need to know
// about the functions, as assignments for a shell.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"functions.local/oauth/shared/httpfunc"

	_ "functions.local/oauth/functions/all"
)

const usage = `usage:
  go run ./deploy/functions            print BASE_URL as the functions read it, and FUNCTIONS, a line for each:
                                       name, kind, memory, timeout in seconds, status for a visitor, API,
                                       pages a second of its queue, schedule; - where there is none
  go run ./deploy/functions -firebase  print a firebase.json for the functions in the region REGION

Settings of the environment that the functions would refuse are named, and nothing is printed.
`

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, getenv func(string) string, out io.Writer) error {
	functions := httpfunc.Functions()
	switch {
	case len(args) == 1 && args[0] == "-firebase":
		return firebase(functions, getenv("REGION"), out)
	case len(args) > 0:
		return errors.New(strings.TrimSpace(usage))
	}
	c, err := settings(getenv)
	if err != nil {
		return err
	}
	rows, err := table(functions)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "BASE_URL=%s\nFUNCTIONS=%s\n", quote(c.BaseURL), quote(strings.Join(rows, "\n")))
	return err
}

// quote returns s as one word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// firebase prints a firebase.json, by which Firebase Hosting passes the path of each function on to the function.
func firebase(functions []httpfunc.Function, region string, out io.Writer) error {
	if region == "" {
		return errors.New("REGION is not set: set it to the region of the functions")
	}
	type run struct {
		Service string `json:"serviceId"`
		Region  string `json:"region"`
	}
	type rewrite struct {
		Source string `json:"source"`
		Run    run    `json:"run"`
	}
	var file struct {
		Hosting struct {
			Public   string    `json:"public"`
			Rewrites []rewrite `json:"rewrites"`
		} `json:"hosting"`
	}
	file.Hosting.Public = "public"
	for _, f := range functions {
		file.Hosting.Rewrites = append(file.Hosting.Rewrites, rewrite{"/" + f.Name, run{f.Name, region}})
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(file)
}
