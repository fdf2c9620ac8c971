package oauthflow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"functions.local/oauth/shared/seal"
)

// tokens is a checked token response [RFC 6749 §5.1].
type tokens struct {
	access        seal.Secret
	refresh       seal.Secret // "" where none was sent
	expiry        time.Time
	refreshExpiry time.Time // zero where the refresh token lives on
	scopes        []string  // nil where none were named: those asked for
	idToken       string
}

// callTokenEndpoint lets do make one request to the token endpoint, and returns the checked answer. Its error is
// ErrUnavailable, ErrBadResponse or a *refusal.
func (f *Flow) callTokenEndpoint(ctx context.Context, do func(context.Context) (*oauth2.Token, error)) (*tokens, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, f.client), timeout)
	defer cancel()
	t, err := do(ctx)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		return nil, readRefusal(refused)
	case isTransport(err):
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return nil, ErrBadResponse // the error may quote the answer
	}
	return f.check(t)
}

// isBearer reports whether an Authorization header can carry the token [RFC 6750 §2.1].
func isBearer(token string) bool {
	const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	unpadded := strings.TrimRight(token, "=")
	return unpadded != "" && strings.Trim(unpadded, characters) == ""
}

// check returns the tokens of a response, or ErrBadResponse where one of them cannot be.
func (f *Flow) check(t *oauth2.Token) (*tokens, error) {
	r := &tokens{access: seal.Secret(t.AccessToken), refresh: seal.Secret(t.RefreshToken)}
	if !isBearer(t.AccessToken) || !strings.EqualFold(t.TokenType, "bearer") || t.ExpiresIn <= 0 || t.ExpiresIn > 1e9 {
		return nil, ErrBadResponse
	}
	r.expiry = f.config.Now().Add(time.Duration(t.ExpiresIn) * time.Second)
	if scope, ok := t.Extra("scope").(string); ok && scope != "" {
		r.scopes = parseScope(scope)
	}
	if s, ok := t.Extra("refresh_token_expires_in").(float64); ok && s > 0 && s < 1e9 {
		r.refreshExpiry = f.config.Now().Add(time.Duration(s) * time.Second)
	}
	r.idToken, _ = t.Extra("id_token").(string)
	return r, nil
}

// isTransport reports whether err means that no whole answer came.
func isTransport(err error) bool {
	var e *transportError
	return errors.As(err, &e) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// wholeBody reads each answer to its end before it returns it, so that half an answer is an error of the transport and
// not a malformed answer.
type wholeBody struct{ base http.RoundTripper }

// maxBody is how much of an answer is read, in bytes.
const maxBody = 1 << 20

// A transportError means that no whole answer came.
type transportError struct{ error }

func (e *transportError) Unwrap() error { return e.error }

func (t wholeBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		// This header is not sent. It lets net/http send the request once more where an idle connection turns out to be
		// closed, as after a freeze of the instance. That does no harm: if the first one has redeemed a code after all, the
		// second is refused, and without the first one's answer the code was lost anyway.
		r = r.Clone(r.Context())
		r.Header["X-Idempotency-Key"] = nil
	}
	res, err := t.base.RoundTrip(r)
	if err != nil {
		return nil, &transportError{err}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	res.Body.Close()
	if err != nil {
		return nil, &transportError{err}
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}
