package securityevents

import (
	"slices"
	"testing"

	"functions.local/oauth/shared/httpfunc"
)

func TestIsRegisteredUnderItsName(t *testing.T) {
	if !slices.Contains(httpfunc.Names(), "securityevents") {
		t.Errorf("registered: %v", httpfunc.Names())
	}
}
