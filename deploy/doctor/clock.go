package main

import (
	"context"
	"net/http"
	"time"

	"functions.local/oauth/shared/config"
)

// maxOff is how far this machine's clock may be from Google's. ID tokens are refused beyond 5 minutes.
const maxOff = time.Minute

// checkClock compares this machine's clock with the header Date of an answer of Google's.
func (d *doctor) checkClock(ctx context.Context, c *config.Config) {
	const name = "the clock"
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	google := "https://oauth2.googleapis.com"
	if c.GoogleBaseURL != nil {
		google = c.GoogleBaseURL.String()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, google+"/token", nil)
	if err != nil {
		d.wrong("GOOGLE_BASE_URL", "is no URL: %v", err)
		return
	}
	sent := d.now()
	res, err := d.client.Do(r)
	if err != nil {
		d.wrong("Google", "does not answer (%v): see whether this machine reaches %s, and whether HTTPS_PROXY and SSL_CERT_FILE are right", err, google)
		return
	}
	res.Body.Close()
	date, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		d.wrong(name, "cannot be compared: the answer of %s has no Date; see whether HTTPS_PROXY is right", google)
		return
	}
	off := sent.Add(d.now().Sub(sent) / 2).Sub(date).Round(time.Second)
	if off.Abs() > maxOff {
		d.wrong(name, "is off by %v, so that ID tokens seem expired or not yet valid: set it by NTP", off)
		return
	}
	d.fine(name, "agrees with Google's")
}
