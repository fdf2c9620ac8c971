package seal

import "fmt"

const redacted = "[redacted]"

// A Secret is a string that does not print: every fmt verb, JSON and log/slog show "[redacted]".
// string(s) reveals it.
type Secret string

// Format prints "[redacted]" for every fmt verb.
func (Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// MarshalText returns "[redacted]", for encoding/json and log/slog.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
