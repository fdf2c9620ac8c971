package oauthflow

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const job = "https://functions.example/dailyevent"

func serviceClaims() map[string]any {
	return map[string]any{"iss": Issuer, "aud": job, "azp": "2002", "sub": "2002", "iat": noon.Unix() - 3000, "exp": noon.Unix() + 600,
		"email": "scheduler@project.iam.gserviceaccount.com", "email_verified": true}
}

func TestBearer(t *testing.T) {
	app, google := signingKey{"a", ecKey()}, signingKey{"g", rsaKey()}
	const user = "app:z3_Cc2nvL8eI:user-1"
	for name, c := range map[string]struct {
		issuer, audience string // AUTH_ISSUER and AUTH_AUDIENCE, where not the app's
		token            string
		service          string
		want             Bearer
	}{
		"a user of the app": {token: app.token(t, userClaims()), want: Bearer{Owner: appOwner(appIssuer, "user-1")}},
		"a user of the app, at a job's address": {token: app.token(t, userClaims()), service: job,
			want: Bearer{Owner: appOwner(appIssuer, "user-1")}},
		"a list of one audience":            {token: app.token(t, userClaims(), "aud", []string{"project-1"}), want: Bearer{Owner: appOwner(appIssuer, "user-1")}},
		"no address":                        {token: app.token(t, userClaims(), "email", nil), want: Bearer{Owner: appOwner(appIssuer, "user-1")}},
		"a subject of Google's digits":      {token: app.token(t, userClaims(), "sub", "1001"), want: Bearer{Owner: appOwner(appIssuer, "1001")}},
		"a subject that looks like a key":   {token: app.token(t, userClaims(), "sub", user), want: Bearer{Owner: appOwner(appIssuer, user)}},
		"a subject of 255 characters":       {token: app.token(t, userClaims(), "sub", strings.Repeat("s", 255)), want: Bearer{Owner: appOwner(appIssuer, strings.Repeat("s", 255))}},
		"a clock that is four minutes late": {token: app.token(t, userClaims(), "iat", noon.Add(4*time.Minute).Unix()), want: Bearer{Owner: appOwner(appIssuer, "user-1")}},
		"a user of Google for our client": {issuer: Issuer, audience: "client-1", token: google.token(t, googleClaims()),
			want: Bearer{Owner: "1001"}},
		"a user of Google in its other form": {issuer: Issuer, audience: "client-1", token: google.token(t, googleClaims(), "iss", "accounts.google.com"),
			want: Bearer{Owner: "1001"}},
		"a user of a mobile app": {issuer: Issuer, audience: "client-1", token: google.token(t, googleClaims(), "azp", "android-client"),
			want: Bearer{Owner: "1001"}},
		"a user of Google for another client": {issuer: Issuer, audience: "client-2", token: google.token(t, googleClaims(), "aud", "client-2"),
			want: Bearer{Owner: appOwner(Issuer, "1001")}},
		"a user of the app, whose audience is our client": {issuer: appIssuer, audience: "client-1", token: app.token(t, userClaims(), "aud", "client-1"),
			want: Bearer{Owner: appOwner(appIssuer, "user-1")}},
		"a service account": {token: google.token(t, serviceClaims()), service: job, want: Bearer{Service: "scheduler@project.iam.gserviceaccount.com"}},
	} {
		t.Run("accepts "+name, func(t *testing.T) {
			f, _ := newIssuers(t)
			if c.issuer != "" {
				f.config.AuthIssuer, f.config.AuthAudience = c.issuer, c.audience
			}
			if who, err := f.VerifyBearer(t.Context(), c.token, c.service); err != nil || *who != c.want {
				t.Errorf("%+v, %v, want %+v", who, err, c.want)
			}
		})
	}

	now := noon.Unix()
	for name, c := range map[string]struct{ token, service string }{
		"nothing":                                 {"", ""},
		"a foreign key":                           {signingKey{"a", forgersKey()}.token(t, userClaims()), ""},
		"Google's key for the app's issuer":       {google.token(t, userClaims()), ""},
		"the app's key for Google":                {app.token(t, serviceClaims()), job},
		"HMAC":                                    {signingKey{"a", []byte(strings.Repeat("project-1", 8))}.token(t, userClaims()), ""},
		"an end that has passed":                  {app.token(t, userClaims(), "exp", now-1), ""},
		"no end":                                  {app.token(t, userClaims(), "exp", nil), ""},
		"a start that is to come":                 {app.token(t, userClaims(), "nbf", now+600), ""},
		"an issue in the future":                  {app.token(t, userClaims(), "iat", now+600), ""},
		"no issue":                                {app.token(t, userClaims(), "iat", nil), ""},
		"another issuer":                          {app.token(t, userClaims(), "iss", "https://evil.example"), ""},
		"the issuer with a slash":                 {app.token(t, userClaims(), "iss", appIssuer+"/"), ""},
		"no issuer":                               {app.token(t, userClaims(), "iss", nil), ""},
		"another audience":                        {app.token(t, userClaims(), "aud", "project-2"), ""},
		"two audiences":                           {app.token(t, userClaims(), "aud", []string{"project-1", "project-2"}), ""},
		"the audience twice":                      {app.token(t, userClaims(), "aud", []string{"project-1", "project-1"}), ""},
		"no audience":                             {app.token(t, userClaims(), "aud", nil), ""},
		"an empty audience":                       {app.token(t, userClaims(), "aud", ""), ""},
		"no subject":                              {app.token(t, userClaims(), "sub", nil), ""},
		"an empty subject":                        {app.token(t, userClaims(), "sub", ""), ""},
		"a subject of 256 characters":             {app.token(t, userClaims(), "sub", strings.Repeat("s", 256)), ""},
		"a subject that is a number":              {app.token(t, userClaims(), "sub", 1), ""},
		"a user of Google's":                      {google.token(t, googleClaims()), ""},
		"Google's for the app's audience":         {google.token(t, googleClaims(), "aud", "project-1"), ""},
		"a service account for nothing":           {google.token(t, serviceClaims(), "aud", ""), ""},
		"a service account where there is no job": {google.token(t, serviceClaims()), ""},
		"a service account at another job":        {google.token(t, serviceClaims()), job + "2"},
		"a service account for two":               {google.token(t, serviceClaims(), "aud", []string{job, "x"}), job},
		"a service account without an address":    {google.token(t, serviceClaims(), "email", nil), job},
		"a service account that is not verified":  {google.token(t, serviceClaims(), "email_verified", nil), job},
		"a service account of the app's issuer":   {app.token(t, serviceClaims(), "iss", appIssuer), job},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			f, _ := newIssuers(t)
			if who, err := f.VerifyBearer(t.Context(), c.token, c.service); !errors.Is(err, ErrBearer) || who != nil {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}

	for name, configure := range map[string]func(f *Flow){
		"without an issuer, for an audience": func(f *Flow) { f.config.AuthIssuer, f.appKeys.issuer = "", "" },
		"without an issuer":                  func(f *Flow) { f.config.AuthIssuer, f.appKeys.issuer, f.config.AuthAudience = "", "", "" },
		"without an audience":                func(f *Flow) { f.config.AuthAudience = "" },
	} {
		t.Run(name+" no user is accepted", func(t *testing.T) {
			f, w := newIssuers(t)
			configure(f)
			for _, token := range []string{app.token(t, userClaims()), app.token(t, userClaims(), "aud", ""), app.token(t, userClaims(), "iss", ""),
				app.token(t, userClaims(), "iss", "", "aud", ""), app.token(t, userClaims(), "iss", nil), google.token(t, googleClaims())} {
				if who, err := f.VerifyBearer(t.Context(), token, ""); !errors.Is(err, ErrBearer) {
					t.Errorf("%+v, %v", who, err)
				}
			}
			if w.count() != 0 {
				t.Errorf("%v", w.calls)
			}
		})
	}

	t.Run("an issuer that cannot be reached is unavailable", func(t *testing.T) {
		f, w := newIssuers(t)
		w.set(appKeys, "")
		if _, err := f.VerifyBearer(t.Context(), app.token(t, userClaims()), ""); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrBearer) {
			t.Error(err)
		}
	})
}

// No two issuers share an owner, and none has one of Google's (requirement 64).
func TestAppOwner(t *testing.T) {
	if got := appOwner("https://securetoken.google.com/project", "u"); got != "app:MuMCWOBlvDCV:u" {
		t.Errorf("owners changed: %q", got)
	}
	seen := map[string]bool{}
	for _, issuer := range []string{appIssuer, appIssuer + "/", Issuer, ""} {
		owner := appOwner(issuer, "1001")
		if seen[owner] || !strings.HasPrefix(owner, "app:") || !strings.HasSuffix(owner, ":1001") || len(owner) != len("app::1001")+12 {
			t.Errorf("%q", owner)
		}
		seen[owner] = true
	}
}

// FuzzBearer signs claims as the app's issuer does and checks by a second reading whether they had to be refused.
func FuzzBearer(f *testing.F) {
	good, err := json.Marshal(userClaims())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, change := range [][2]string{{`"project-1"`, `["project-1"]`}, {`"project-1"`, `["project-1","x"]`}, {`"sub":`, `"SUB":`}, {`"email":`, `"email":1,"x":`},
		{`"iat":`, `"iat":-`}, {`"exp":`, `"exp":0.`}, {`"iss":`, `"iss":"x","iss":`}, {`"sub":"user-1"`, `"sub":null`}} {
		f.Add([]byte(strings.Replace(string(good), change[0], change[1], 1)))
	}
	flow, _ := newIssuers(f)
	f.Fuzz(func(t *testing.T, payload []byte) {
		who, err := flow.VerifyBearer(t.Context(), signingKey{"a", ecKey()}.sign(t, payload), job)
		if err != nil {
			if !errors.Is(err, ErrBearer) || who != nil {
				t.Fatalf("%+v, %v", who, err)
			}
			return
		}
		var claims struct {
			Issuer   string      `json:"iss"`
			Subject  string      `json:"sub"`
			Audience any         `json:"aud"`
			Expiry   json.Number `json:"exp"`
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatalf("broken JSON accepted: %s", payload)
		}
		expiry, err := claims.Expiry.Float64()
		list, _ := claims.Audience.([]any)
		if claims.Issuer != appIssuer || claims.Audience != any("project-1") && !slices.Equal(list, []any{"project-1"}) ||
			err != nil || expiry < float64(noon.Unix()) || who.Owner != appOwner(appIssuer, claims.Subject) || who.Service != "" || !isSubject(claims.Subject) {
			t.Fatalf("accepted as %+v: %s", who, payload)
		}
	})
}
