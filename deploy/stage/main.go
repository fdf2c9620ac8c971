// Command stage lays out what is uploaded to deploy one function: its package, the packages of this module that it
// needs, a file with what is said about the other functions, and a go.mod and go.sum that are tidy for these.
package main

import (
	"fmt"
	"os"

	"functions.local/oauth/shared/httpfunc"

	_ "functions.local/oauth/functions/all"
)

const usage = `usage: go run ./deploy/stage NAME DIR

Lays out the function NAME in DIR, which is absent, empty or of a former stage. The function app is all the
others in one, each under its path. It ends with a version that is the same for the same files.
`

func main() {
	if len(os.Args) != 3 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	s, err := layOut(os.Args[1], os.Args[2], httpfunc.Functions())
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
	fmt.Printf("%d files, %d bytes in %s, version %s\n", s.files, s.size, os.Args[2], s.version)
}
