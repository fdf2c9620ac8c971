package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"functions.local/oauth/shared/config"
	"functions.local/oauth/shared/httpfunc"
	"functions.local/oauth/shared/seal"
)

// allInOne is the name of the function that serves all the others.
const allInOne = "app"

// settings reads the environment as a deployed function would. Secrets that are not set are made up, since a deployed
// function gets them from Secret Manager.
func settings(getenv func(string) string) (*config.Config, error) {
	keys, err := seal.New()
	if err != nil {
		return nil, err
	}
	return config.Parse(func(name string) string {
		switch name {
		case "K_SERVICE":
			return "settings"
		case "TOKEN_KEYSET":
			return string(keys.JSON())
		case "OAUTH_CLIENT_JSON":
			return cmp.Or(getenv(name), `{"web":{"client_id":"id","client_secret":"none"}}`)
		case "TOKEN_STORE", "FIRESTORE_EMULATOR_HOST", "GOOGLE_BASE_URL":
			return "" // these are for this machine alone
		}
		return getenv(name)
	})
}

// table returns a line for each function, and one for the function that serves all of them.
func table(functions []httpfunc.Function) ([]string, error) {
	visitor, err := visitors()
	if err != nil {
		return nil, err
	}
	all := httpfunc.Function{Name: allInOne}
	var rows []string
	for _, f := range functions {
		f.Memory, f.Timeout = cmp.Or(f.Memory, "256Mi"), cmp.Or(f.Timeout, time.Minute)
		rows = append(rows, row(f, kind(f), visitor(f.Name)))
		all.Memory = slices.MaxFunc([]string{cmp.Or(all.Memory, f.Memory), f.Memory}, compareMemory)
		all.Timeout = max(all.Timeout, f.Timeout)
	}
	return append(rows, row(all, "all", http.StatusNotFound)), nil
}

// row returns the line of a function; visitor is the HTTP status that somebody without a session gets.
func row(f httpfunc.Function, kind string, visitor int) string {
	pages := ""
	if f.Quota > 0 {
		thousandths := f.Quota * 1000 / 60 / httpfunc.UsersAPage // rounded down, to stay under the quota
		pages = strconv.FormatFloat(float64(thousandths)/1000, 'f', 3, 64)
	}
	return strings.Join([]string{f.Name, kind, f.Memory, fmt.Sprint(f.Timeout.Seconds()), strconv.Itoa(visitor),
		cmp.Or(f.API, "-"), cmp.Or(pages, "-"), cmp.Or(f.Schedule, "-")}, " ")
}

// kind returns "job" for a background job, "user" for another function that acts for a user, or "framework".
func kind(f httpfunc.Function) string {
	switch {
	case f.EachUser != nil:
		return "job"
	case f.Get != nil || f.Post != nil:
		return "user"
	}
	return "framework"
}

// compareMemory compares sizes such as 512Mi and 2Gi.
func compareMemory(a, b string) int {
	size := func(s string) int {
		n, _ := strconv.Atoi(strings.TrimRight(s, "GMi"))
		if strings.HasSuffix(s, "Gi") {
			n <<= 10
		}
		return n
	}
	return cmp.Compare(size(a), size(b))
}

// visitors returns a function that calls a function as a browser without a session does, and returns the HTTP status.
func visitors() (func(name string) int, error) {
	keys, err := seal.New()
	if err != nil {
		return nil, err
	}
	env := map[string]string{"BASE_URL": "https://app.example.com", "TOKEN_STORE": "memory", "TOKEN_KEYSET": string(keys.JSON()),
		"OAUTH_CLIENT_JSON": `{"web":{"client_id":"id","client_secret":"none"}}`}
	app, err := httpfunc.New(httpfunc.Options{Getenv: func(name string) string { return env[name] }, Log: io.Discard})
	if err != nil {
		return nil, err
	}
	return func(name string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, env["BASE_URL"]+"/"+name, nil)
		r.Header.Set("Accept", "text/html")
		app.Handler(name).ServeHTTP(w, r)
		return w.Code
	}, nil
}
