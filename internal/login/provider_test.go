package login

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/hark-cli/hark/internal/emulator"
	drogueemu "github.com/hark-cli/hark/internal/emulator/drogue"
	"github.com/hark-cli/hark/internal/tokenstore"
	"github.com/hark-cli/hark/proto"
	"github.com/hark-cli/hark/proto/drogue"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The provider of these tests is not by the authors of hark: the example provider of
// github.com/zitadel/oidc, in this process. Its access tokens are valid for five
// minutes, and each renewal replaces the refresh token.

// issuer is the address of the provider. The emulator accepts the tokens of a realm of
// that path.
const issuer = "http://sso.invalid/drogue-sso/realms/drogue"

// providerStorage is the storage of the example with the client of Drogue Cloud's
// command lines, tokens that Drogue Cloud can read, and the emulator's key.
type providerStorage struct {
	*storage.Storage
	key *rsa.PrivateKey

	mu      sync.Mutex
	renewed []string // refresh tokens that were used
}

func newProvider(t *testing.T) (http.Handler, *providerStorage) {
	t.Helper()
	der, err := os.ReadFile("../emulator/drogue/demo-key.der")
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS1PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	client := storage.NativeClient("drogue", "http://localhost")
	s := &providerStorage{
		Storage: storage.NewStorageWithClients(storage.NewUserStore(issuer), map[string]*storage.Client{"drogue": client}),
		key:     key,
	}
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	router := exampleop.SetupServer(issuer, s, slog.New(slog.DiscardHandler), false)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix(strings.TrimSuffix(r.URL.Path, strings.TrimPrefix(r.URL.Path, u.Path)), router).ServeHTTP(w, r)
	}), s
}

func (s *providerStorage) SigningKey(context.Context) (op.SigningKey, error) {
	return signingKey{s.key}, nil
}

type signingKey struct{ key *rsa.PrivateKey }

func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k signingKey) Key() any                                    { return k.key }
func (k signingKey) ID() string                                  { return "demo" }

func (s *providerStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	return nativeClient{c}, err
}

// nativeClient gets JSON Web Tokens, and may use the device flow.
type nativeClient struct{ op.Client }

func (nativeClient) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c nativeClient) GrantTypes() []oidc.GrantType {
	return append(c.Client.GrantTypes(), oidc.GrantTypeDeviceCode)
}

func (s *providerStorage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return map[string]any{"azp": "drogue", "preferred_username": drogueemu.User}, nil
}

func (s *providerStorage) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.renewed = append(s.renewed, token)
	return s.Storage.TokenRequestByRefreshToken(ctx, token)
}

// GetDeviceAuthorizatonState returns a copy, to avoid a data race in the example.
func (s *providerStorage) GetDeviceAuthorizatonState(ctx context.Context, client, code string) (*op.DeviceAuthorizationState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := s.Storage.GetDeviceAuthorizatonState(ctx, client, code)
	if err != nil {
		return nil, err
	}
	return new(*state), nil
}

// decide does what the user does on the other device.
func (s *providerStorage) decide(code string, allow bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if allow {
		return s.CompleteDeviceAuthorization(context.Background(), code, "id1")
	}
	return s.DenyDeviceAuthorization(context.Background(), code)
}

// A scene is a provider, an emulator of Drogue Cloud that accepts its tokens, and a
// client, on an in-memory network.
type scene struct {
	t        *testing.T
	storage  *providerStorage
	client   *http.Client
	back     pipes // for the redirected browser
	provider Provider
	keeper   *Keeper
	folder   string
}

// inScene runs f in a synctest bubble.
func inScene(t *testing.T, f func(*testing.T, *scene)) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		handler, s := newProvider(t)
		opts := emulator.DefaultOptions()
		opts.Rate = 0.1
		e, err := emulator.Services{drogueemu.Service(drogueemu.DefaultOptions())}.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		networks := map[string]*emulator.Network{"sso.invalid": emulator.NewNetwork(handler), "hark-emulator.invalid": emulator.NewNetwork(e)}
		sc := &scene{t: t, storage: s, back: make(pipes), folder: folder}
		transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, _, _ := net.SplitHostPort(addr)
			if n, ok := networks[host]; ok {
				return n.DialContext(ctx, network, addr)
			}
			return sc.back.dial(ctx)
		}}
		sc.client = &http.Client{Transport: transport}
		sc.provider, err = Discover(t.Context(), sc.client, issuer)
		if err != nil {
			t.Fatal(err)
		}
		sc.keeper = sc.newKeeper()
		f(t, sc)
		transport.CloseIdleConnections()
		e.Close()
		for _, n := range networks {
			n.Close()
		}
	})
}

func (s *scene) newKeeper() *Keeper {
	return &Keeper{Store: tokenstore.Open(s.folder, tokenstore.File), Key: "drogue http://api.invalid", Client: s.client}
}

func (s *scene) flow() *Flow {
	return &Flow{Provider: s.provider, ClientID: "drogue", Client: s.client}
}

// logIn logs in like a user with a browser.
func (s *scene) logIn() *Login {
	s.t.Helper()
	l, err := s.flow().Browser(s.t.Context(), []net.Listener{s.back}, func(address string) {
		go func() {
			if text, err := s.browse(address); err != nil || !strings.Contains(text, "You are logged in") {
				s.t.Errorf("the browser shows %q, %v", text, err)
			}
		}()
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return l
}

// browse opens an address, fills in the form of the example, and follows redirects.
func (s *scene) browse(address string) (string, error) {
	resp, err := s.client.Get(address)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	id := resp.Request.URL.Query().Get("authRequestID")
	if id == "" {
		return "", fmt.Errorf("%s led to %s: HTTP %s", address, resp.Request.URL, resp.Status)
	}
	resp, err = s.client.PostForm(resp.Request.URL.String(), url.Values{
		"id": {id}, "username": {"test-user@" + strings.TrimPrefix(issuer, "http://")}, "password": {"verysecure"},
	})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// pipes is an in-memory listener.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }

func (p pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestBrowser(t *testing.T) {
	inScene(t, func(t *testing.T, s *scene) {
		l := s.logIn()
		if l.AccessToken == "" || l.RefreshToken == "" || l.User != drogueemu.User || l.Issuer != issuer {
			t.Errorf("%+v", l)
		}
		if left := time.Until(l.Expires); left < 4*time.Minute || left > 5*time.Minute {
			t.Errorf("expires in %s", left)
		}
	})
}

func TestDevice(t *testing.T) {
	inScene(t, func(t *testing.T, s *scene) {
		start := time.Now()
		l, err := s.flow().Device(t.Context(), func(address, complete, code string) {
			if address == "" || !strings.Contains(complete, code) {
				t.Errorf("%q, %q, %q", address, complete, code)
			}
			time.AfterFunc(31*time.Second, func() {
				if err := s.storage.decide(code, true); err != nil {
					t.Error(err)
				}
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if l.AccessToken == "" || time.Since(start) < 31*time.Second || time.Since(start) > 40*time.Second {
			t.Errorf("%+v after %s", l, time.Since(start))
		}
		_, err = s.flow().Device(t.Context(), func(_, _, code string) {
			if err := s.storage.decide(code, false); err != nil {
				t.Error(err)
			}
		})
		if r, ok := errors.AsType[*RefusedError](err); !ok || r.Code != "access_denied" {
			t.Errorf("denied: %v", err)
		}
		if _, err = s.flow().Device(t.Context(), func(string, string, string) {}); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("no browser: %v", err)
		}
		f := s.flow()
		f.Provider.Device = ""
		if _, err := f.Device(t.Context(), nil); !errors.Is(err, ErrNoDeviceFlow) {
			t.Errorf("not offered: %v", err)
		}
	})
}

// A stream of Drogue Cloud continues through three expiries of its token: the stored
// login is renewed at the provider and the new token is sent over the socket. Each
// renewal replaces the refresh token, which is stored.
func TestStreamOutlivesItsTokens(t *testing.T) {
	inScene(t, func(t *testing.T, s *scene) {
		l := s.logIn()
		if _, err := s.keeper.Save(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		sink := &until{end: l.Expires.Add(11 * time.Minute)} // after the third expiry
		var connected int
		var warnings []string
		o := proto.DefaultOptions()
		o.Transport = s.client.Transport
		o.Retries = 0
		o.PingInterval = 4 * time.Second
		o.Trace = proto.Trace{
			Status: func(st proto.Status) {
				if st.State == (proto.Connected{}) {
					connected++
				}
			},
			Warning: func(text string) { warnings = append(warnings, text) },
		}
		err := proto.Run(t.Context(), &drogue.Service{
			Endpoint: emulator.Base + "/drogue", Application: drogueemu.DemoApplication,
			Token: s.keeper.Token, Renewable: true,
		}, sink, o)
		if !errors.Is(err, errEnough) {
			t.Errorf("Run: %v", err)
		}
		if connected != 1 || sink.events < 90 || len(warnings) > 0 {
			t.Errorf("%d connections, %d events, warnings %v", connected, sink.events, warnings)
		}
		used := s.storage.renewed
		if len(used) < 3 || len(slices.Compact(slices.Sorted(slices.Values(used)))) != len(used) || used[0] != l.RefreshToken {
			t.Errorf("refresh tokens used: %v", used)
		}
		stored, err := s.newKeeper().Load(t.Context())
		if err != nil || slices.Contains(used, stored.RefreshToken) || !stored.Expires.After(time.Now()) {
			t.Errorf("stored: %+v, %v", stored, err)
		}
	})
}

// until is a sink that ends at a certain time.
type until struct {
	end    time.Time
	events int
}

var errEnough = errors.New("enough")

func (u *until) Event(ev *proto.Event) error {
	u.events++
	if ev.Time.After(u.end) {
		return errEnough
	}
	return nil
}

func (u *until) Flush() error { return nil }

// Concurrent users of a login renew it once.
func TestTokenIsRenewedOnce(t *testing.T) {
	inScene(t, func(t *testing.T, s *scene) {
		if _, err := s.keeper.Token(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("no login: %v", err)
		}
		if _, err := s.keeper.Save(t.Context(), s.logIn()); err != nil {
			t.Fatal(err)
		}
		first, err := s.keeper.Token(t.Context())
		if err != nil || len(s.storage.renewed) != 0 {
			t.Errorf("a fresh token was renewed: %v", err)
		}
		time.Sleep(4*time.Minute + 30*time.Second)
		tokens := make(chan string, 8)
		var wg sync.WaitGroup
		for range cap(tokens) {
			wg.Go(func() {
				v, err := s.newKeeper().Token(t.Context())
				if err != nil {
					t.Error(err)
				}
				tokens <- v.Reveal()
			})
		}
		wg.Wait()
		close(tokens)
		var got []string
		for v := range tokens {
			got = append(got, v)
		}
		if got = slices.Compact(got); len(got) != 1 || got[0] == first.Reveal() || len(s.storage.renewed) != 1 {
			t.Errorf("%d tokens of %d renewals", len(got), len(s.storage.renewed))
		}
	})
}

func TestEndedLogin(t *testing.T) {
	inScene(t, func(t *testing.T, s *scene) {
		l := s.logIn()
		if _, err := s.keeper.Save(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if err := Revoke(t.Context(), s.client, l); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Minute)
		_, err := s.keeper.Token(t.Context())
		if !is[*EndedError](err) || !strings.Contains(err.Error(), "the login has ended: the login server refuses: invalid_grant") {
			t.Errorf("revoked: %v", err)
		}
		if forgotten, err := s.keeper.Forget(t.Context()); err != nil || forgotten.RefreshToken != l.RefreshToken {
			t.Errorf("%+v, %v", forgotten, err)
		}
		if _, err := s.keeper.Forget(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("forgotten twice: %v", err)
		}
	})
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
