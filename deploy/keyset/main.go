// Command keyset makes the keyset that TOKEN_KEYSET holds.
package main

import (
	"fmt"
	"io"
	"os"

	"functions.local/oauth/shared/seal"
)

const usage = `usage:
  go run ./deploy/keyset new              print a new keyset for TOKEN_KEYSET
  go run ./deploy/keyset add < OLD        print OLD with one more key, which opens and does not seal yet
  go run ./deploy/keyset rotate < OLD     print OLD with its newest key sealing from then on, which is
                                          a new one unless add made one; what the old keys sealed still opens
`

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("%s", usage)
	}
	var k *seal.Keyset
	var err error
	switch args[0] {
	case "new":
		k, err = seal.New()
	case "add":
		k, err = change(in, (*seal.Keyset).Added)
	case "rotate":
		k, err = change(in, (*seal.Keyset).Rotated)
	case "-h", "--help", "help":
		_, err = io.WriteString(out, usage)
		return err
	default:
		return fmt.Errorf("%s", usage)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, string(k.JSON()))
	return err
}

// change reads a keyset and returns a changed copy of it.
func change(in io.Reader, changed func(*seal.Keyset) (*seal.Keyset, error)) (*seal.Keyset, error) {
	old, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	k, err := seal.Parse(string(old))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return changed(k)
}
