package netdial

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBypassed(t *testing.T) {
	for _, tt := range []struct {
		list, host, port string
		want             bool
	}{
		{"", "example.com", "443", false},
		{"*", "example.com", "443", true},
		{"example.com", "example.com", "443", true},
		{"example.com", "EXAMPLE.COM.", "443", true},
		{"example.com", "www.example.com", "443", true},
		{".example.com", "www.example.com", "443", true},
		{"*.example.com", "www.example.com", "443", true},
		{"example.com", "notexample.com", "443", false},
		{"www.example.com", "example.com", "443", false},
		{"a, b example.com", "example.com", "443", true},
		{"example.com:443", "example.com", "443", true},
		{"example.com:80", "example.com", "443", false},
		{"10.0.0.0/8", "10.1.2.3", "80", true},
		{"10.0.0.0/8", "11.1.2.3", "80", false},
		{"10.0.0.0/8", "example.com", "80", false},
		{"192.0.2.1", "192.0.2.1", "80", true},
		{"192.0.2.1", "192.0.2.10", "80", false},
		{"::1", "::1", "80", true},
		{"[::1]:80", "::1", "80", true},
		{"2001:db8::/32", "2001:db8::5", "80", true},
		{"0.1", "192.0.0.1", "80", false},
	} {
		if got := Bypassed(tt.list, tt.host, tt.port); got != tt.want {
			t.Errorf("Bypassed(%q, %s, %s) = %t", tt.list, tt.host, tt.port, got)
		}
	}
}

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]*Proxy{
		"":                          nil,
		"host":                      {Kind: "http", Host: "host", Port: "1080"},
		"host:3128":                 {Kind: "http", Host: "host", Port: "3128"},
		"HTTPS://host":              {Kind: "https", Host: "host", Port: "443"},
		"socks5://[::1]:9":          {Kind: "socks5", Host: "::1", Port: "9"},
		"http://a%40b:c%2Fd@host:1": {Kind: "http", Host: "host", Port: "1", User: "a@b", Password: "c/d"},
	} {
		got, err := ParseProxy(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v, (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"ftp://host", "http://", "socks4://host", "http://a:b/c@host", "://"} {
		if got, err := ParseProxy(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}
