package httpfunc

import (
	_ "embed"
	"time"
	_ "time/tzdata" // 450 kB: the platform's Go image brings no time zones [GoogleCloudPlatform/buildpacks: zoneinfo]
)

// zonesHTML suggests time zones for an <input list="zones">. Pages write it as {{template "zones"}}.
//
//go:embed zones.html
var zonesHTML string

// Zone returns the time zone with this IANA name. Its error is an [Error] of status 400.
func Zone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, Invalid("This time zone is not known. Give the name of one, such as Europe/Berlin or UTC.")
	}
	return zone, nil
}

// dateOf returns a calendar date as Google's APIs write it: the day that t shows, or so many days after
// it. Days are counted on the calendar, since a day may lack the hour that another one has.
func dateOf(t time.Time, days int) string {
	year, month, day := t.Date()
	return time.Date(year, month, day+days, 12, 0, 0, 0, time.UTC).Format(time.DateOnly)
}
