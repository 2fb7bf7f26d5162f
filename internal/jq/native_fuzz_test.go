package jq

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hark-cli/hark/internal/eventjson"
)

// A grower makes expressions and events out of the bytes of a fuzzer, each of which
// decides something.
type grower struct {
	left []byte
	out  strings.Builder
	size int
}

func (g *grower) pick(n int) int {
	if len(g.left) == 0 {
		return 0
	}
	b := int(g.left[0])
	g.left = g.left[1:]
	return b % n
}

func (g *grower) of(words ...string) { g.out.WriteString(words[g.pick(len(words))]) }

// grow writes a template, in which each letter of rules stands for what it makes.
func (g *grower) grow(depth int, templates ...string) {
	g.size++
	if depth <= 0 || g.size > 40 {
		g.out.WriteString(templates[0])
		return
	}
	for _, c := range templates[g.pick(len(templates))] {
		switch c {
		case 'Ⓔ':
			g.expr(depth - 1)
		case 'Ⓚ':
			g.of("a", "b", "c", "d", "ä")
		case 'Ⓢ':
			g.of(`"a"`, `""`, `"b"`, `"ä"`, `"\u0000\u007f"`, `"a\\\"b"`, `"\n"`, `"漢字"`, `"object"`, `"number"`, `"a\ud83d\ude00"`, `"."`, `"^a"`, `"(?<x>[ab]+)"`, `"1"`)
		case 'Ⓝ':
			g.of("0", "1", "-1", "1.0", "1.50", "-0", "1e2", "100", "1E-2", "21", "9007199254740993", "9007199254740992.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
				"12345678901234567890", "1e400", "-1e400", "1e-400", "0.1", "0.10", "3", "2", "1000000000000000000", "123456789012345678")
		case 'Ⓒ':
			g.of("==", "!=", "<", "<=", ">", ">=")
		case 'Ⓥ':
			g.value(depth - 1)
		case 'Ⓜ':
			g.of("a", "b", "c", "d", "ä", `\u0061`, `\u00e4`, "e f", `a\\`, `\"`)
		case '␣':
			g.of("", "", "", " ", "\n", "\t\r\n ")
		default:
			g.out.WriteRune(c)
		}
	}
}

func (g *grower) expr(depth int) {
	g.grow(depth, ".", ".Ⓚ", ".Ⓚ", ".Ⓚ.Ⓚ", ".Ⓚ.Ⓚ.Ⓚ", ".Ⓚ?", ".Ⓚ.Ⓚ?", ".Ⓚ?.Ⓚ", ".Ⓚ.Ⓚ??", `.["Ⓚ"]`, `."Ⓚ"`, ".Ⓚ[0]", ".Ⓚ[1]?", ".[2]", ".[-1]", ".[]", ".[1.0]",
		"Ⓝ", "Ⓢ", "null", "true", "false", "[]", "{}", "$x", "$y", "empty", "not", "length", "type", "(Ⓔ)", "(Ⓔ)?", "(Ⓔ).Ⓚ", "(Ⓔ).Ⓚ?", "(Ⓔ)[0]", "(Ⓔ)[1]?",
		"Ⓔ | Ⓔ", "Ⓔ | Ⓔ", "Ⓔ, Ⓔ", "Ⓔ Ⓒ Ⓔ", "Ⓔ Ⓒ Ⓔ", "Ⓔ and Ⓔ", "Ⓔ or Ⓔ", "Ⓔ // Ⓔ", "select(Ⓔ)", "select(Ⓔ Ⓒ Ⓔ)", "select(.Ⓚ Ⓒ Ⓝ)", ".Ⓚ Ⓒ Ⓢ",
		"{Ⓚ}", "{Ⓚ, Ⓚ: Ⓔ}", "{Ⓚ: (Ⓔ), Ⓚ: .Ⓚ}", `{"Ⓚ": .Ⓚ.Ⓚ, $x}`, "{(Ⓢ): 1}", `{"a": (Ⓔ | Ⓔ)}`, "[Ⓔ]", "[Ⓔ, Ⓔ]", "[.Ⓚ, (Ⓔ)]", "if Ⓔ then Ⓔ else Ⓔ end", "if Ⓔ then Ⓔ end", "if Ⓔ then Ⓔ elif Ⓔ then Ⓔ else Ⓔ end",
		"test(Ⓢ)", `test(Ⓢ; "i")`, `test(Ⓢ; "gm")`, "startswith(Ⓢ)", "endswith(Ⓢ)", "contains(Ⓢ)", ".Ⓚ | test(Ⓢ)", ".Ⓚ | length", ".Ⓚ | type", "try Ⓔ", "try (Ⓔ | Ⓔ)", "try Ⓔ catch Ⓔ", "-Ⓝ", ".Ⓚ | Ⓔ", "(Ⓔ, Ⓔ) | Ⓔ", "Ⓔ | (Ⓔ, Ⓔ)",
		"Ⓔ + 1", "Ⓔ as $x | $x", "def f: Ⓔ; f", "error", "(Ⓔ Ⓒ Ⓔ)?", "[Ⓔ] Ⓒ [Ⓔ]", `"\(Ⓔ)"`)
}

func (g *grower) value(depth int) {
	g.grow(depth, "1", "Ⓝ", "Ⓝ", "Ⓢ", "Ⓢ", "null", "true", "false", "{}", "[]", "[␣]", "{␣}", `{"Ⓜ":Ⓥ}`, `{␣"Ⓜ"␣:␣Ⓥ␣,␣"Ⓜ":Ⓥ␣}`, `{"Ⓜ":Ⓥ,"Ⓜ":Ⓥ,"Ⓜ":Ⓥ}`, `{"a":Ⓥ,"b":Ⓥ,"a":Ⓥ}`, "[Ⓥ]", "[Ⓥ,␣Ⓥ␣]", "[1,2,Ⓥ]", `"Ⓜ"`)
}

func (g *grower) event() {
	if g.pick(16) == 0 {
		g.value(4)
		return
	}
	g.grow(6, `{"a":1}`, `{"a":Ⓥ,"b":Ⓥ}`, `{"a":Ⓥ,"b":Ⓥ,"c":Ⓥ}`, `{"a":{"a":Ⓥ,"b":Ⓥ},"b":Ⓥ,"c":{"c":Ⓥ}}`, `␣{␣"Ⓜ"␣:␣Ⓥ,"Ⓜ":{"Ⓜ":Ⓥ,"Ⓜ":Ⓥ}␣,"Ⓜ":Ⓥ}␣`, `{"a":{"a":{"a":Ⓥ}},"a":Ⓥ}`, `{"a":{"b":Ⓥ},"a":{"c":Ⓥ},"b":{"a":Ⓥ}}`, `{"a":Ⓥ`, `{"a":Ⓥ}}`, `{"a":Ⓥ,}`)
}

// grownVars are the variables of grown expressions.
func grownVars(t testing.TB) Vars {
	t.Helper()
	x, err := Arg("x", "a\x00\u007fä")
	if err != nil {
		t.Fatal(err)
	}
	y, err := ArgJSON("y", "1.50")
	if err != nil {
		t.Fatal(err)
	}
	return Vars{Named: []Var{x, y}}
}

// TestNativeGrown is FuzzNative for a few thousand inputs that are always the same.
func TestNativeGrown(t *testing.T) {
	vars, r := grownVars(t), rand.New(rand.NewPCG(1, 2))
	seed := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return b
	}
	taken := 0
	for range 5000 {
		g := grower{left: seed(40)}
		g.expr(5)
		f, err := Compile("--jq", g.out.String(), vars)
		if err != nil {
			continue
		}
		for range 3 {
			e := grower{left: seed(60)}
			e.event()
			if compareNatively(t, f, []byte(e.out.String())) {
				taken++
			}
		}
	}
	if taken < 1000 {
		t.Errorf("%d events were evaluated natively", taken)
	}
}

// What is evaluated natively comes out as gojq says it, byte for byte: expressions and
// events are grown from the input.
func FuzzNative(f *testing.F) {
	vars := grownVars(f)
	for i := range 200 {
		seed := make([]byte, 40)
		for j := range seed {
			seed[j] = byte(i*31 + j*j*7 + i*j)
		}
		f.Add(seed, seed[10:])
	}
	f.Fuzz(func(t *testing.T, exprSeed, eventSeed []byte) {
		g := grower{left: exprSeed}
		g.expr(5)
		expr := g.out.String()
		filter, err := Compile("--jq", expr, vars)
		if err != nil {
			return
		}
		for range 3 {
			e := grower{left: eventSeed}
			e.event()
			eventSeed = e.left
			compareNatively(t, filter, []byte(e.out.String()))
		}
	})
}

// Of an event, a Set accepts what the decoder accepts.
func FuzzPaths(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":{"b":1}} `, `{"a":{"b":1,}}`, "{\"a\":\n1}", `{"\u0061":{"\u0062":2,"b":3}}`, `{`, `{}`, ` {} x`, `{"a":{"b":"\ud800\u0000"}}`, "{\"a\":\"\xff\"}", strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Set
		filter, err := Compile("--jq", `.a, .a.b, .c`, Vars{})
		if err != nil {
			t.Fatal(err)
		}
		n := s.Add(filter)
		ok, breaks := s.Load(data)
		var d eventjson.Decoder
		v, err := d.Decode(data)
		_, isObject := v.(map[string]any)
		if valid, b := eventjson.Valid(data); ok != (valid && isObject) || ok && (breaks != b || err != nil) {
			t.Fatalf("%q: %v, %v, want %v, %v", data, ok, breaks, valid && isObject, b)
		}
		if !ok {
			return
		}
		if _, ok := n.Outputs(); ok {
			compareNatively(t, filter, data)
		}
	})
}
