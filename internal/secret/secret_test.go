package secret

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

const canary = "s3cret/+=&hunter2?~\"\\é"

// However a Value is formatted, encoded or logged, it is not shown.
func TestValue(t *testing.T) {
	v := Value(canary)
	type holder struct {
		Token  Value
		Nested *Value
		List   []Value
		Map    map[string]Value
	}
	h := holder{v, &v, []Value{v}, map[string]Value{"a": v}}
	var out strings.Builder
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%T %[1]v", "% x", "%10s", "%.3s"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", fmt.Errorf("refused: %v", v))
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "token", v, "all", h)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "token", v, "all", h)
	for _, part := range []string{"s3c", "733363", "733343", "hunter"} {
		if strings.Contains(out.String(), part) {
			t.Errorf("%q is in:\n%s", part, &out)
		}
	}
	if v.Reveal() != canary || Value("").String() != "" {
		t.Error("Reveal must give the value, and an empty one is not to be hidden")
	}
}

func TestRedactor(t *testing.T) {
	var r Redactor
	r.AddPair("alice", canary)
	r.Add("abc") // too short to be replaced
	u := &url.URL{Scheme: "wss", Host: "h", User: url.UserPassword("alice", canary), Path: "/" + canary, RawQuery: url.Values{"t": {canary}}.Encode()}
	inJSON, err := json.Marshal(map[string]string{"t": canary})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{
		canary,
		u.String(),
		strings.ToLower(u.String()),
		string(inJSON),
		fmt.Sprintf("%q", canary),
		fmt.Sprintf("%x", canary),
		fmt.Sprintf("%X", canary),
		url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(canary))),
	}
	for before := range 4 {
		for after := range 4 {
			text := []byte(strings.Repeat("x", before) + canary + strings.Repeat("y", after))
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				texts = append(texts, e.EncodeToString(text))
			}
		}
	}
	for _, text := range texts {
		got := r.String("before " + text + " after abc")
		if string(r.Bytes([]byte("before "+text+" after abc"))) != got {
			t.Errorf("Bytes and String differ for %q", text)
		}
		if !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after abc") || !strings.Contains(got, Mask) {
			t.Errorf("%q became %q", text, got)
		}
		for _, part := range []string{"s3cret", "hunter2", "czNjcmV0", "aHVudGVy", "733363726574"} {
			if strings.Contains(got, part) {
				t.Errorf("%q became %q, with %q in it", text, got, part)
			}
		}
	}
	b := []byte("nothing")
	if got := r.Bytes(b); &got[0] != &b[0] {
		t.Error("bytes without a credential were copied")
	}
}
