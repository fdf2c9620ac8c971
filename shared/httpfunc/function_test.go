package httpfunc

import (
	"testing"
	"time"
	_ "time/tzdata"
)

func TestDate(t *testing.T) {
	for name, tt := range map[string]struct {
		zone, slot string
		days       int
		want       string
	}{
		"of the slot itself":                       {"UTC", "2026-03-01T18:00:00Z", 0, "2026-03-01"},
		"of the day after":                         {"UTC", "2026-02-28T18:00:00Z", 1, "2026-03-01"},
		"of the day before a year":                 {"UTC", "2026-01-01T00:00:00Z", -1, "2025-12-31"},
		"in the zone of the slot":                  {"Asia/Tokyo", "2026-03-01T18:00:00Z", 1, "2026-03-03"},
		"of a day without midnight":                {"America/Santiago", "2026-09-05T04:15:00Z", 1, "2026-09-06"},
		"after a day without midnight":             {"America/Santiago", "2026-09-06T04:15:00Z", 1, "2026-09-07"},
		"of a day without midnight, in another":    {"America/Havana", "2026-03-07T05:15:00Z", 1, "2026-03-08"},
		"of a day without midnight, in a third":    {"Atlantic/Azores", "2026-03-28T01:15:00Z", 1, "2026-03-29"},
		"where a whole day is left out":            {"Pacific/Apia", "2011-12-30T09:30:00Z", 1, "2011-12-30"},
		"of a day of 25 hours, in its second half": {"Europe/Berlin", "2026-10-25T22:30:00Z", 1, "2026-10-26"},
	} {
		loc, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		slot, err := time.Parse(time.RFC3339, tt.slot)
		if err != nil {
			t.Fatal(err)
		}
		if got := (&Call{Slot: slot.In(loc)}).Date(tt.days); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestRegisteringTwiceIsAMistake(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		delete(handlers, "twice")
	}()
	f := Function{Name: "twice", Get: func(*Call) (*View, error) { return nil, nil }}
	ForUser(f)
	if len(Functions()) != 1 || Names()[0] != "twice" || handlers["twice"].methods[0] != "GET" || len(handlers["twice"].methods) != 2 {
		t.Errorf("%+v", handlers["twice"])
	}
	ForUser(f)
}
