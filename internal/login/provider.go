// Package login gets access tokens from an OpenID Connect provider: a user logs in with
// a browser, here or on another device, and the tokens are renewed from then on. It is
// the only package that uses OAuth 2.0.
package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// A Provider is the configuration of an OpenID Connect provider (OpenID Connect
// Discovery 1.0, section 3; RFC 8414, section 2).
type Provider struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	// Device is "" if logging in on another device is not supported.
	Device string `json:"device_authorization_endpoint"`
	// Revocation is "" if tokens cannot be revoked.
	Revocation string `json:"revocation_endpoint"`
}

// Discover reads the configuration of the provider at an issuer's address.
func Discover(ctx context.Context, client *http.Client, issuer string) (Provider, error) {
	var p Provider
	if _, err := webAddress(issuer); err != nil {
		return p, fmt.Errorf("issuer %s %w", issuer, err)
	}
	address := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return p, fmt.Errorf("issuer %s: %w", issuer, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return p, fmt.Errorf("issuer %s: %w", issuer, bare(ctx, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("issuer %s: HTTP %s", issuer, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p); err != nil {
		return p, fmt.Errorf("issuer %s: its configuration cannot be read", issuer)
	}
	// Otherwise one provider could impersonate another (Discovery, section 4.3).
	if strings.TrimSuffix(p.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
		return p, fmt.Errorf("issuer %s: its configuration is that of %s", issuer, p.Issuer)
	}
	for _, e := range []struct {
		name    string
		address *string
	}{
		{"authorization_endpoint", &p.Authorization}, {"token_endpoint", &p.Token},
		{"device_authorization_endpoint", &p.Device}, {"revocation_endpoint", &p.Revocation},
	} {
		if *e.address == "" {
			continue
		}
		whole, err := webAddress(*e.address)
		if err != nil {
			return p, fmt.Errorf("issuer %s: its %s %w", issuer, e.name, err)
		}
		if strings.HasPrefix(issuer, "https://") && !strings.HasPrefix(whole, "https://") {
			return p, fmt.Errorf("issuer %s: its %s is an address without TLS: %s", issuer, e.name, whole)
		}
		*e.address = whole
	}
	if p.Authorization == "" || p.Token == "" {
		return p, fmt.Errorf("issuer %s: its configuration has no authorization or no token endpoint", issuer)
	}
	return p, nil
}

// webAddress validates an address from a server that a browser is to open, or that
// credentials are sent to: http or https and a host, nothing else. It returns the
// address percent-encoded as required.
func webAddress(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return "", errors.New("is not an address of http or https")
	case u.User != nil:
		return "", errors.New("is an address with credentials in it")
	case strings.ContainsFunc(u.Host, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._:[]%", r)
	}):
		return "", errors.New("is an address whose host is not a name")
	}
	u.RawPath = "" // what is not encoded as it must be, is not taken as it stands
	return u.String(), nil
}

// bare removes the address from an error of net/http, and returns the cause of a
// canceled context instead of its error.
func bare(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// A Login is a stored login.
type Login struct {
	Issuer     string `json:"issuer"`
	Token      string `json:"token_endpoint"`
	Revocation string `json:"revocation_endpoint,omitempty"`
	ClientID   string `json:"client_id"`
	// User is the user name at the provider, if known.
	User         string `json:"user,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// Obtained and Expires bound the lifetime of the access token. A zero Expires means
	// unknown.
	Obtained time.Time `json:"obtained"`
	Expires  time.Time `json:"expires,omitzero"`
}

// take stores new tokens in the login. A refresh token that is not replaced stays
// valid.
func (l *Login) take(t *oauth2.Token, now time.Time) {
	l.AccessToken, l.Obtained, l.Expires = t.AccessToken, now, t.Expiry
	if t.RefreshToken != "" {
		l.RefreshToken = t.RefreshToken
	}
	c := claimsOf(t.AccessToken)
	// The server of the events checks the claims of the token; but its clock may differ
	// from the local one: a new token has not expired, and is valid for the lifetime in
	// its claims.
	exp := time.Unix(c.Expires, 0)
	if life := time.Duration(c.Expires-c.Issued) * time.Second; c.Issued > 0 && life > 0 && (!exp.After(now) || exp.After(now.Add(life))) {
		exp = now.Add(life)
	}
	if c.Expires > 0 && exp.After(now) && (l.Expires.IsZero() || exp.Before(l.Expires)) {
		l.Expires = exp
	}
	id, _ := t.Extra("id_token").(string)
	for _, c := range []claims{c, claimsOf(id)} {
		for _, name := range []string{c.Username, c.Email} {
			if l.User == "" {
				l.User = name
			}
		}
	}
}

// fresh reports whether the access token is valid for some more time: half of its
// lifetime, at most a minute.
func (l *Login) fresh(now time.Time) bool {
	if l.Expires.IsZero() {
		return true
	}
	margin := min(time.Minute, l.Expires.Sub(l.Obtained)/2)
	return now.Before(l.Expires.Add(-margin))
}

// Inspect returns the user of an access token and when it expires, without verifying
// it; both are zero if unknown.
func Inspect(accessToken string) (user string, expires time.Time) {
	c := claimsOf(accessToken)
	if c.Expires > 0 {
		expires = time.Unix(c.Expires, 0)
	}
	if c.Username != "" {
		return c.Username, expires
	}
	return c.Email, expires
}

// claims are the claims of a token that its bearer uses.
type claims struct {
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Username string `json:"preferred_username"`
	Email    string `json:"email"`
}

// claimsOf returns the claims of a JSON Web Token without verifying it, because it came
// from the provider. They are zero for another text.
func claimsOf(token string) (c claims) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	if b, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
		_ = json.Unmarshal(b, &c)
	}
	return c
}
