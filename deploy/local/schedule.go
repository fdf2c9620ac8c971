package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"functions.local/oauth/shared/httpfunc"
)

//go:embed schedule.html
var scheduleHTML string

var schedulePage = httpfunc.NewPage("The job has run", scheduleHTML)

// jobBody is the body with which Cloud Scheduler would call a job.
const jobBody = `{"time_zone":"UTC"}`

// A jobRun is what the page shows of a call to a job.
type jobRun struct {
	Done    int               `json:"done"`
	Skipped int               `json:"skipped"`
	Failed  int               `json:"failed"`
	Job     httpfunc.Function `json:"-"`
	Account string            `json:"-"`
	Body    string            `json:"-"`
	Status  int               `json:"-"` // HTTP
	Answer  string            `json:"-"` // the job's, in JSON
}

// Users returns how many users have turned the job on.
func (r jobRun) Users() int { return r.Done + r.Skipped + r.Failed }

// schedule plays Cloud Scheduler: it calls the job with an ID token that Google signed for the
// scheduler's service account.
func (s *site) schedule(job httpfunc.Function) func(*http.Request) (*httpfunc.View, error) {
	return func(r *http.Request) (*httpfunc.View, error) {
		token := s.google.SignIDToken(map[string]any{
			"aud": s.app.URL(job.Name), "sub": "100000000000000000001", "email": s.config.SchedulerAccounts[0], "email_verified": true,
		})
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+s.addr+"/"+job.Name, strings.NewReader(jobBody))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		run := jobRun{Job: job, Account: s.config.SchedulerAccounts[0], Body: jobBody, Status: res.StatusCode}
		var answer json.RawMessage
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			return nil, fmt.Errorf("%s: status %d: %w", job.Name, res.StatusCode, err)
		}
		run.Answer = string(answer)
		if err := json.Unmarshal(answer, &run); err != nil {
			return nil, err
		}
		view := schedulePage.View(run)
		if run.Status != http.StatusOK {
			view.Titled("The job did not get through")
		}
		return view, nil
	}
}
