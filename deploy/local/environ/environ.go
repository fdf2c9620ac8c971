// Package environ takes from the environment what would have the functions take this machine for
// Cloud Run. They look for it when they register, so it has to be gone by then: packages are
// initialized in the order of their import paths where their imports allow it, and this one has next
// to none [The Go Programming Language Specification: program initialization].
package environ

import "os"

func init() { os.Unsetenv("K_SERVICE") }
