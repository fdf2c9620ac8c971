// Package environ removes K_SERVICE from the environment, by which the functions would take this machine for Cloud Run.
// They look for it in their init functions, so that it has to be gone before. Go initializes packages in the order of
// their import paths where their imports allow that, and this one imports next to nothing
// [The Go Programming Language Specification: program initialization].
package environ

import "os"

func init() { os.Unsetenv("K_SERVICE") }
