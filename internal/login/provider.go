// Package login gets access tokens from an OpenID Connect provider: a user logs in
// with a browser, here or on another device, and the tokens are renewed from then
// on. It is the only package that speaks OAuth 2.0.
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

// A Provider is what a client has to know of an OpenID Connect provider (OpenID
// Connect Discovery 1.0, section 3; RFC 8414, section 2).
type Provider struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	// Device is empty when logging in on another device is not offered.
	Device string `json:"device_authorization_endpoint"`
	// Revocation is empty when tokens cannot be given back.
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
	// Otherwise one provider could pass for another (Discovery, section 4.3).
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

// webAddress checks an address that a server names and a browser may be given, or that
// credentials may go to: http or https and a host, nothing else. It is returned with
// everything encoded that has to be.
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

// bare takes the address off an error of net/http and puts the reason in the place
// of an ended context.
func bare(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// A Login is what is kept of a user who has logged in.
type Login struct {
	Issuer     string `json:"issuer"`
	Token      string `json:"token_endpoint"`
	Revocation string `json:"revocation_endpoint,omitempty"`
	ClientID   string `json:"client_id"`
	// User is the name that the provider has for the user, if it tells.
	User         string `json:"user,omitempty"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	// Obtained and Expires bound the life of the access token. A zero Expires is
	// not known.
	Obtained time.Time `json:"obtained"`
	Expires  time.Time `json:"expires,omitzero"`
}

// take puts new tokens into the login. A refresh token that is not replaced stays.
func (l *Login) take(t *oauth2.Token, now time.Time) {
	l.AccessToken, l.Obtained, l.Expires = t.AccessToken, now, t.Expiry
	if t.RefreshToken != "" {
		l.RefreshToken = t.RefreshToken
	}
	c := claimsOf(t.AccessToken)
	// The server of the events reads the token, so its word counts too; but its clock may
	// differ from ours: a new token has not expired, and lasts as long as it says.
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

// fresh reports whether the access token is good for some more time: half of its
// life, at most a minute.
func (l *Login) fresh(now time.Time) bool {
	if l.Expires.IsZero() {
		return true
	}
	margin := min(time.Minute, l.Expires.Sub(l.Obtained)/2)
	return now.Before(l.Expires.Add(-margin))
}

// Inspect reads who an access token is for and when it expires, without checking
// it; both are zero when it does not tell.
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

// claims are those of a token that are of interest to its bearer.
type claims struct {
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	Username string `json:"preferred_username"`
	Email    string `json:"email"`
}

// claimsOf reads the claims of a JSON Web Token without checking anything: it came
// from the provider itself. They are zero when it is none.
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
