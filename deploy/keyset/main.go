// Command keyset makes and changes the keyset for TOKEN_KEYSET.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"functions.local/oauth/shared/seal"
)

const usage = `usage:
  go run ./deploy/keyset new                   print a new keyset for TOKEN_KEYSET
  go run ./deploy/keyset add < OLD             print OLD with one more key, which opens and does not seal yet
  go run ./deploy/keyset rotate < OLD          print OLD with its newest key sealing from then on, which is
                                               a new one unless add made one; what the old keys sealed still opens
  go run ./deploy/keyset disable KEYID < OLD   print OLD with that key, its "keyId", opening nothing any more

To rotate: add, and start every function with the result (deploy/restart.sh); then rotate, and start them all once
more. Nobody notices. deploy/README.md has the commands.

To retire a key that has leaked: rotate as above, then disable the key that leaked, and start every function with
the result. Everybody whose grant or session that key sealed has to sign in again, and their daily jobs wait until
then. The value before is still among the secret's versions: restore that one if the wrong key was disabled.
Never replace a keyset by a new one: that costs every grant.
`

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, in io.Reader, out io.Writer) error {
	var k *seal.Keyset
	var err error
	switch {
	case len(args) == 2 && args[0] == "disable":
		id, parseErr := strconv.ParseUint(args[1], 10, 32)
		if parseErr != nil {
			return errors.New("KEYID is a number: the \"keyId\" of a key in the keyset")
		}
		k, err = change(in, func(k *seal.Keyset) (*seal.Keyset, error) { return k.Disabled(uint32(id)) })
	case len(args) != 1:
		return fmt.Errorf("%s", usage)
	case args[0] == "new":
		k, err = seal.New()
	case args[0] == "add":
		k, err = change(in, (*seal.Keyset).Added)
	case args[0] == "rotate":
		k, err = change(in, (*seal.Keyset).Rotated)
	case args[0] == "-h", args[0] == "--help", args[0] == "help":
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
