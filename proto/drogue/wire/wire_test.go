package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/vectors"
)

// Every message of the vendor's documents and of their public code is decoded and
// encoded without loss.
func TestVectors(t *testing.T) {
	vectors.RoundTrip(t, "../testdata",
		vectors.Shape{Prefix: "refresh", Value: Refresh{}},
		vectors.Shape{Prefix: "error-", Value: Error{}},
		vectors.Shape{Prefix: "event-", Value: Event{}},
		vectors.Shape{Prefix: "endpoints", Value: Endpoints{}},
	)
}

func TestAccessToken(t *testing.T) {
	const want = "drg_012345_01234567890123456789012345678920BetF"
	got, err := AccessToken("012345", "012345678901234567890123456789")
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if p := AccessTokenPrefix(want); p != "drg_012345" {
		t.Errorf("prefix %q", p)
	}
	for _, test := range []struct {
		token string
		valid bool
	}{
		{want, true},
		{want[:41], false},
		{want[:41] + "20BetG", false},
		{want + "0", false},
		{strings.Replace(want, "_", "-", 1), false},
		{strings.Replace(want, "9", "ü", 1), false},
		{"", false},
	} {
		if got := AccessTokenValid(test.token); got != test.valid {
			t.Errorf("%q valid: %t", test.token, got)
		}
	}
	if _, err := AccessToken("short", "x"); err == nil {
		t.Error("a token of too few characters was made")
	}
}

// Extensions keep their order, and characters of HTML are not escaped.
func TestEventText(t *testing.T) {
	const text = `{"specversion":"1.0","id":"1","type":"t","source":"s","data":"<&>","z":"1","a":"<&>"}`
	var e Event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		t.Fatal(err)
	}
	got, err := e.MarshalJSON()
	if err != nil || string(got) != text {
		t.Errorf("got %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"id":1}`), &e); err == nil {
		t.Error("an attribute that is a number was taken")
	}
	if err := json.Unmarshal([]byte(`[]`), &e); err == nil {
		t.Error("an array was taken for an event")
	}
}

func FuzzEvent(f *testing.F) {
	for _, event := range vectors.Files(f, "../testdata") {
		f.Add(event)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		text, err := e.MarshalJSON()
		if err != nil || !json.Valid(text) {
			t.Errorf("%s became %s, %v", b, text, err)
		}
	})
}
