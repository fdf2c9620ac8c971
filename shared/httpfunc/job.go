package httpfunc

import (
	"context"
	_ "embed"
	"net/http"
	"slices"
	"strconv"
	"time"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/seal"
	"functions.local/oauth/shared/tokenstore"
)

//go:embed job.html
var jobHTML string

var jobPage = NewPage("Work in the background", jobHTML)

// A jobSwitch is what the page of a job shows.
type jobSwitch struct {
	Does    string `json:"-"`
	Enabled bool   `json:"enabled"`
	Zone    string `json:"time_zone,omitempty"` // that the user chose for the job
	Typed   string `json:"-"`                   // what stands in the form's field for one
}

// serveJob runs the job for a service account; for a user it shows the switch or turns it.
func (x *exchange) serveJob() error {
	switch {
	case x.isService():
		return x.runJob()
	case x.r.Method == http.MethodPost:
		return x.switchJob()
	case x.grant != nil && x.form.Get("enabled") == "false" && !x.grant.HasJob(x.f.Name):
		return x.showSignedIn(x.switchPage()) // it was just turned off, which needs no consent
	}
	if err := x.authorized(x.f.Scopes); err != nil {
		return err
	}
	if x.isBack() {
		return x.showSignedIn(backPage.View(nil))
	}
	return x.showSignedIn(x.switchPage())
}

func (x *exchange) switchPage() *View {
	s := jobSwitch{Does: x.f.Does, Typed: x.form.Get("time_zone")}
	if x.grant != nil {
		s.Enabled, s.Zone = x.grant.HasJob(x.f.Name), x.grant.Zones[x.f.Name]
	}
	return jobPage.View(s).Titled(x.f.Title)
}

// switchJob turns the job on or off, as the field "enabled" says. Turning it off needs no consent. With it
// the field "time_zone" names the zone whose days the job is to work for; empty is the scheduler's.
func (x *exchange) switchJob() error {
	if x.grant == nil {
		return &oauthflow.ConsentError{Missing: x.f.Scopes.First()}
	}
	on, zone := x.form.Get("enabled") == "true", Trim(x.form.Get("time_zone"))
	switch {
	case !on && x.form.Get("enabled") != "false":
		return Invalid("The field enabled has to be true or false.")
	case on:
		if _, err := Zone(zone); zone != "" && err != nil {
			var faults Faults
			faults.AddError("time_zone", err)
			return faults.Err()
		}
		if err := x.authorized(x.f.Scopes); err != nil {
			return err
		}
	default:
		if err := x.checkMark(); err != nil {
			return err
		}
	}
	g, err := tokenstore.Update(x.r.Context(), x.store, x.grant.Owner, func(g *tokenstore.Grant) error {
		if x.bearer == nil && !g.HasSession(seal.HashID(x.session.ID)) {
			return tokenstore.ErrNotFound // the session was ended meanwhile
		}
		g.SetJob(x.f.Name, on)
		if on && x.form.Has("time_zone") {
			g.SetZone(x.f.Name, zone)
		}
		return nil
	})
	switch {
	case isNotFound(err): // or disconnected
		x.grant = nil
		return &oauthflow.ConsentError{Missing: x.f.Scopes.First()}
	case err != nil:
		return err
	}
	x.grant = g
	x.audit(x.r.Context(), "job switched", g.Owner, "job", x.f.Name, "on", on)
	return x.showSignedIn(x.switchPage().At("enabled", strconv.FormatBool(on)))
}

// visitBearer finds out whom a bearer token names.
func (x *exchange) visitBearer(raw string) error {
	job := ""
	if x.f.EachUser != nil {
		job = x.URL(x.f.Name)
	}
	b, err := x.flow.VerifyBearer(x.r.Context(), raw, job)
	if err != nil {
		return err
	}
	x.bearer = b
	switch {
	case b.Service == "":
		x.known = true
		return x.load(b.Owner)
	case !slices.Contains(x.config.SchedulerAccounts, b.Service):
		return &Error{Status: http.StatusForbidden, Code: "forbidden", Message: "Only this service's scheduler may start the job."}
	case x.r.Method != http.MethodPost:
		x.w.Header().Set("Allow", http.MethodPost)
		return &Error{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "A run of the job is started by POST."}
	}
	return nil
}

// slot is the time for which a run was scheduled. All that a run does follows from it, so that a run
// that starts late, is retried or lasts over midnight does the same.
func (x *exchange) slot() (time.Time, error) {
	zone := time.UTC
	if name := x.form.Get("time_zone"); name != "" || x.r.ContentLength != 0 && !x.form.Has("users") {
		var err error
		if zone, err = Zone(name); err != nil {
			return time.Time{}, Invalid("The field time_zone has to be the name of a time zone, such as Europe/Berlin.")
		}
	}
	text := x.r.Header.Get("X-CloudScheduler-ScheduleTime")
	if text == "" {
		return x.now().In(zone), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, Invalid("The header X-CloudScheduler-ScheduleTime has to be a time such as 2026-03-01T18:00:00Z.")
	}
	return at.In(zone), nil
}

// detached returns a context that ends after d, and not when the caller hangs up: for work that has to be finished.
func detached(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}
