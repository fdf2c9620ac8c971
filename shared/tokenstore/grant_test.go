package tokenstore_test

import (
	"reflect"
	"testing"

	"functions.local/oauth/shared/tokenstore"
	"functions.local/oauth/shared/tokenstore/tokenstoretest"
)

func TestSetJob(t *testing.T) {
	g := &tokenstore.Grant{}
	g.SetZone("daily", "")
	g.SetJob("daily", true)
	g.SetJob("weekly", true)
	g.SetJob("daily", true)
	g.SetZone("daily", "America/Santiago")
	g.SetZone("weekly", "Europe/Berlin")
	if want := []string{"weekly", "daily"}; !reflect.DeepEqual(g.Jobs, want) || !g.HasJob("daily") {
		t.Errorf("Jobs = %v, want %v", g.Jobs, want)
	}
	if want := map[string]string{"daily": "America/Santiago", "weekly": "Europe/Berlin"}; !reflect.DeepEqual(g.Zones, want) {
		t.Errorf("Zones = %v, want %v", g.Zones, want)
	}
	g.SetJob("daily", false)
	if g.HasJob("daily") || !g.HasJob("weekly") || g.Zones["daily"] != "" || g.Zones["weekly"] != "Europe/Berlin" {
		t.Errorf("after one job was turned off: %v, %v", g.Jobs, g.Zones)
	}
	g.SetZone("weekly", "")
	if len(g.Zones) != 0 {
		t.Errorf("Zones = %v", g.Zones)
	}
}

func TestSessions(t *testing.T) {
	g := tokenstoretest.Full("alice")
	g.AddSession(tokenstore.Session{Hash: "one", Browser: "another"})
	if len(g.Sessions) != 2 || g.Sessions[0].Browser == "another" {
		t.Errorf("a session that is there was added: %v", g.Sessions)
	}
	g.EndSession("one")
	g.EndSession("one")
	if g.HasSession("one") || !g.HasSession("two") {
		t.Errorf("%v", g.Sessions)
	}
}
