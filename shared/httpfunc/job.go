package httpfunc

import (
	"context"
	_ "embed"
	"errors"
	"net/http"
	"slices"
	"strings"

	"functions.local/oauth/shared/oauthflow"
	"functions.local/oauth/shared/tokenstore"
)

// A JobFunc does a job's work for one user, whom client acts for. r is the run's request, in the
// time that this user has; subject tells users apart. What it does must be harmless to do twice.
type JobFunc func(r *http.Request, subject string, client *http.Client) error

// ForEveryUser registers name as a background job. In the browser it is a page on which the signed-in
// user turns the job on or off; does says there what it does. Called by the configured scheduler's
// identity, it runs fn once for every user who turned it on.
func ForEveryUser(name, does string, scopes Scopes, fn JobFunc) {
	j := &job{name: name, does: does, scopes: scopes, fn: fn}
	register(name, func(a *App) http.HandlerFunc {
		page := a.only([]string{http.MethodGet, http.MethodHead, http.MethodPost}, func(w http.ResponseWriter, r *http.Request) {
			a.jobPage(w, r, j)
		})
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && r.Header.Get("Authorization") != "" {
				a.runJob(w, r, j)
				return
			}
			page(w, r)
		}
	})
}

type job struct {
	name   string
	does   string
	scopes Scopes
	fn     JobFunc
}

//go:embed job.html
var jobHTML string

var switchPage = NewPage("Work in the background", jobHTML)

// A jobSwitch is what the page shows.
type jobSwitch struct {
	Name    string `json:"-"`
	Does    string `json:"-"`
	Enabled bool   `json:"enabled"`
}

func (j *job) view(on bool) *View { return switchPage.View(jobSwitch{j.name, j.does, on}) }

// jobPage shows the switch and turns it. Turning the job off needs no consent.
func (a *App) jobPage(w http.ResponseWriter, r *http.Request, j *job) {
	v, err := a.visitor(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if v.grant == nil {
		a.askConsent(w, r, j.name, v, j.scopes.First(), j.view(false))
		return
	}
	on, err := wantsJob(r)
	if err != nil {
		a.failOnForm(w, r, err, j.view(v.grant.HasJob(j.name)), v.page(a))
		return
	}
	off := r.Method == http.MethodPost && !on
	if missing, ask := v.lacks(j.scopes); ask && !off {
		a.askConsent(w, r, j.name, v, missing, j.view(v.grant.HasJob(j.name)))
		return
	}
	if r.Method == http.MethodPost {
		if v.grant, err = a.setJob(r.Context(), v.grant.Owner, j.name, on); err != nil {
			a.failOnForm(w, r, err, j.view(!on), v.page(a))
			return
		}
	}
	a.replySignedIn(w, r, v, j.view(v.grant.HasJob(j.name)))
}

// wantsJob reads the field "enabled" of a POST.
func wantsJob(r *http.Request) (bool, error) {
	if r.Method != http.MethodPost {
		return false, nil
	}
	form, err := ParseForm(r)
	if err != nil {
		return false, err
	}
	switch form.Get("enabled") {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, Invalid("The field enabled has to be true or false.")
}

func (a *App) setJob(ctx context.Context, subject, name string, on bool) (*tokenstore.Grant, error) {
	g, err := tokenstore.Update(ctx, a.store, subject, func(g *tokenstore.Grant) error {
		g.SetJob(name, on)
		return nil
	})
	if err == nil {
		a.audit(ctx, "job switched", subject, "job", name, "on", on)
	}
	return g, err
}

// authorizeRun checks that the request comes from the scheduler [Cloud Scheduler: authentication with
// OIDC tokens].
func (a *App) authorizeRun(r *http.Request, name string) error {
	refuse := func(cause error) error {
		return &Error{Status: http.StatusForbidden, Code: "forbidden", Message: "Only this service's scheduler may start the job.", Cause: cause}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(a.config.SchedulerAccounts) == 0 {
		return refuse(nil)
	}
	who, err := a.flow.VerifyBearer(r.Context(), strings.TrimSpace(token), a.URL(name))
	switch {
	case errors.Is(err, oauthflow.ErrBearer):
		return refuse(err)
	case err != nil:
		return err
	case !slices.Contains(a.config.SchedulerAccounts, who.Service):
		return refuse(errors.New("another service account"))
	}
	return nil
}
