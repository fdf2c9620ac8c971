package fakegoogle

import (
	"net/http"
	"time"
)

// An EventTime is the start or end of an event: a DateTime with an offset or a TimeZone, or a Date for a whole day.
type EventTime struct{ DateTime, Date, TimeZone string }

// parseEventTime reads body[name] and returns it with the moment that it stands for.
func parseEventTime(body map[string]any, name string) (EventTime, time.Time, *apiError) {
	refuse := func(reason, format string) (EventTime, time.Time, *apiError) {
		return EventTime{}, time.Time{}, apiErrorf(http.StatusBadRequest, reason, format, name)
	}
	value, ok := body[name].(map[string]any)
	if !ok {
		return refuse("required", "Missing %s time.")
	}
	text := func(key string) string { t, _ := value[key].(string); return t }
	et := EventTime{text("dateTime"), text("date"), text("timeZone")}
	zone := time.UTC
	if et.TimeZone != "" {
		loc, err := time.LoadLocation(et.TimeZone)
		if err != nil || et.TimeZone == "Local" {
			return refuse("invalid", "Invalid time zone definition for %s time.")
		}
		zone = loc
	}
	switch {
	case et.Date != "" && et.DateTime != "":
		return refuse("invalid", "Invalid %s time.")
	case et.Date != "":
		at, err := time.Parse(time.DateOnly, et.Date)
		if err != nil {
			return refuse("invalid", "Invalid value for: %s.date")
		}
		return et, at, nil
	case et.DateTime != "":
		if at, err := time.Parse(time.RFC3339, et.DateTime); err == nil {
			return et, at, nil
		}
		at, err := time.ParseInLocation("2006-01-02T15:04:05", et.DateTime, zone)
		if err != nil {
			return refuse("badRequest", "Invalid value for: %s.dateTime")
		}
		if et.TimeZone == "" {
			return refuse("required", "Missing time zone definition for %s time.")
		}
		return et, at, nil
	}
	return refuse("required", "Missing %s time.")
}
