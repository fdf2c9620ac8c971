// Command stage lays out what is uploaded to deploy one function: its package, the packages of this
// module that it needs, and a go.mod and go.sum that are tidy for those.
package main

import (
	"fmt"
	"os"
)

const usage = `usage: go run ./deploy/stage NAME DIR

Lays out the function NAME in DIR, which is absent, empty or of a former stage.
`

func main() {
	if len(os.Args) != 3 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	files, size, err := stage(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d files, %d bytes in %s\n", os.Args[1], files, size, os.Args[2])
}
