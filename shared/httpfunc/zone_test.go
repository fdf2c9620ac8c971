package httpfunc

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestZone(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "Asia/Kolkata"} {
		if zone, err := Zone(name); err != nil || zone.String() != name {
			t.Errorf("%s: %v, %v", name, zone, err)
		}
	}
	for _, name := range []string{"", "Local", "Mars/Base", "../etc/passwd", "/etc/localtime", "Europe", "Berlin"} {
		if zone, err := Zone(name); err == nil {
			t.Errorf("%q is %v", name, zone)
		}
	}
}

func TestJobInTheUsersOwnZone(t *testing.T) {
	k := newKit(t, "SCHEDULER_ACCOUNT", scheduler)
	_, c := k.grant(ada, someScope)
	cookie := c.Name + "=" + c.Value
	j := newJob()
	call := func(body string) {
		t.Helper()
		want(t, k.serve(j.handler, request("POST", "/job", body, "Cookie", cookie, "Content-Type", jsonType, "Accept", jsonType)), 200)
	}
	zone := func() string {
		t.Helper()
		g, err := k.store.Get(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		return g.Zones["job"]
	}
	page := func() string {
		t.Helper()
		return shown(k.serve(j.handler, request("GET", "/job", "", "Cookie", cookie)))
	}
	// days runs the job for slots and returns the days that it worked for.
	days := func(t *testing.T, schedulers string, slots ...string) (days []string) {
		t.Helper()
		j.slots = nil
		for _, slot := range slots {
			want(t, k.run(j, scheduler, `{"time_zone":"`+schedulers+`"}`, "X-CloudScheduler-ScheduleTime", slot), 200, `{"done":1,"skipped":0,"failed":0}`)
		}
		for _, slot := range j.slots {
			days = append(days, slot.Format(time.DateOnly))
		}
		return days
	}

	t.Run("is chosen where the job is turned on, and shown there", func(t *testing.T) {
		off := page()
		if !strings.Contains(off, `aria-describedby="zone-hint" id="time_zone" name="time_zone" value="" list="zones"`) || !strings.Contains(off, `<datalist id="zones">`) {
			t.Errorf("no field for it: %s", off)
		}
		location(t, k.serve(j.handler, request("POST", "/job", "enabled=true&time_zone=+Asia/Tokyo%E2%80%8B&form="+markOn(t, off), "Cookie", cookie)), http.StatusSeeOther)
		if zone() != "Asia/Tokyo" || !strings.Contains(page(), "by the clocks of <bdi>Asia/Tokyo</bdi>") {
			t.Errorf("%q: %s", zone(), page())
		}
		want(t, k.serve(j.handler, request("GET", "/job", "", "Cookie", cookie, "Accept", jsonType)), 200, `{"enabled":true,"time_zone":"Asia/Tokyo"}`)
	})
	t.Run("has to be one", func(t *testing.T) {
		for _, name := range []string{"Mars/Base", "Local", "../etc"} {
			page := k.serve(j.handler, request("POST", "/job", "enabled=true&time_zone="+name+"&form="+markOn(t, page()), "Cookie", cookie))
			want(t, page, 400, "This time zone is not known")
		}
		call(`{"enabled":false,"time_zone":"Mars/Base"}`) // which turns it off all the same
		again := k.serve(j.handler, request("POST", "/job", "enabled=true&time_zone=Mars/Base&form="+markOn(t, page()), "Cookie", cookie))
		want(t, again, 400, `aria-invalid="true"`, `value="Mars/Base"`, `id="time_zone-fault">This time zone is not known`, "It is off")
		if zone() != "" {
			t.Error(zone())
		}
	})
	t.Run("stays until another one, or none, is chosen", func(t *testing.T) {
		for _, step := range []struct{ body, want string }{
			{`{"enabled":true,"time_zone":"Asia/Tokyo"}`, "Asia/Tokyo"}, {`{"enabled":true}`, "Asia/Tokyo"}, {`{"enabled":true,"time_zone":"Asia/Seoul"}`, "Asia/Seoul"},
			{`{"enabled":true,"time_zone":""}`, ""}, {`{"enabled":true,"time_zone":"Asia/Tokyo"}`, "Asia/Tokyo"}, {`{"enabled":false}`, ""},
		} {
			if call(step.body); zone() != step.want {
				t.Errorf("%q after %s, want %q", zone(), step.body, step.want)
			}
		}
	})
	t.Run("is whose day a run works for", func(t *testing.T) {
		for name, want := range map[string]string{"": "2026-03-01", "Asia/Tokyo": "2026-03-02", "America/Los_Angeles": "2026-03-01", "Pacific/Kiritimati": "2026-03-02"} {
			call(`{"enabled":true,"time_zone":"` + name + `"}`)
			if got := days(t, "Europe/Berlin", "2026-03-01T17:00:00Z"); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %v, want %s", name, got, want)
			}
		}
	})
	t.Run("leaves out no day where the scheduler's clocks or the user's change", func(t *testing.T) {
		for name, c := range map[string]struct {
			users, schedulers string
			slots, want       []string
		}{
			"the scheduler's are put back over the user's midnight": {"Asia/Jakarta", "Europe/Berlin",
				[]string{"2026-10-23T16:00:00Z", "2026-10-24T16:00:00Z", "2026-10-25T17:00:00Z", "2026-10-26T17:00:00Z"},
				[]string{"2026-10-23", "2026-10-24", "2026-10-25", "2026-10-26", "2026-10-27"}},
			"and are put forward again": {"Asia/Jakarta", "Europe/Berlin",
				[]string{"2026-03-27T17:00:00Z", "2026-03-28T17:00:00Z", "2026-03-29T16:00:00Z", "2026-03-30T16:00:00Z"},
				[]string{"2026-03-28", "2026-03-29", "2026-03-29", "2026-03-30"}},
			"the user's skip midnight": {"America/Santiago", "UTC",
				[]string{"2026-09-04T03:30:00Z", "2026-09-05T03:30:00Z", "2026-09-06T03:30:00Z", "2026-09-07T03:30:00Z"},
				[]string{"2026-09-03", "2026-09-04", "2026-09-05", "2026-09-06", "2026-09-07"}},
		} {
			call(`{"enabled":true,"time_zone":"` + c.users + `"}`)
			if got := days(t, c.schedulers, c.slots...); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	})
	t.Run("that is known no more is the scheduler's", func(t *testing.T) {
		g, err := k.store.Get(t.Context(), ada)
		if err != nil {
			t.Fatal(err)
		}
		g.SetZone("job", "Mars/Base")
		if err := k.store.Put(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		if got := days(t, "Asia/Tokyo", "2026-03-01T17:00:00Z"); !slices.Equal(got, []string{"2026-03-02"}) || !strings.Contains(k.logged.String(), "Mars/Base") {
			t.Errorf("%v: %s", got, k.logged)
		}
	})
}
