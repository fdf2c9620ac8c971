package seal

import "fmt"

const redacted = "[redacted]"

// A Secret is a string that does not print: every fmt verb, JSON and log/slog show "[redacted]".
// string(s) reveals it.
type Secret string

func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

func (Secret) String() string { return redacted }

// MarshalText serves encoding/json and log/slog alike.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
