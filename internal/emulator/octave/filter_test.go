package octave

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	const object = `{"path":"/demo/stream","creationDate":1718870401337,"tags":{"dashboard":"true"},"hash":null,
		"elems":{"x":1.5,"big":9007199254740993,"s":"it's","on":true,"deep":{"a":{"b":[1]}},"l":"läuft"}}`
	pass := []string{
		"", "  ", "x==1.5", "elems.x == 1.5", "x>1", "x >= 1.5", "x<2", "x != 2", "1 < x", "x < big",
		"big == 9007199254740993", "big != 9007199254740992", "big > 9007199254740992.5",
		`s=="it's"`, `s=='it\'s'`, `l =~ /^läu/`, `path=~/^\/DEMO/i`, `on==true`, "NOT on==false", "hash==null",
		`tags.dashboard=="true"`, "EXISTS x", "EXISTS elems.deep.a", "NOT EXISTS y", "y != 1", "x IN [1, 1.5]", "NOT x IN []",
		`s IN ["a","it's"]`, "(x==1||x==2)||on==true", "x==1.5&&(on==false||big>5)", "x==0||x==1.5&&on==true",
		"creationDate>=1718870401337&&creationDate<=1718870401337", "x==1.5&&NOT(on==false)",
	}
	fail := []string{
		"x==1", "y==1", "y>1", "x==y", "y==z", "y!=z", `x=="1.5"`, "EXISTS y", "EXISTS deep.a.c", "s=~/^a/", "x=~/1/", "x IN [1,2]", "NOT EXISTS x",
		"on>false", "deep==1", "(x==1.5)&&on==false",
	}
	wrong := []string{
		"x", "x==", "==1", "x=1", "(x==1", "x==1)", "x==1 &&", "x==1 x==2", "x==(1)", "NOT", "EXISTS 5", "EXISTS", "x IN 5", "x IN [y]", "x IN [1",
		"x=~5", "x=~/(/", "x=~/a", `x=="a`, "x==1.2.3", "x CONTAINS [1]", "AGE < 5", "HAS number", "MATCHES /x/", "location WITHIN 5 MILES OF [1,2]",
		"x % 2 == 1", "#", strings.Repeat("(", 1000), strings.Repeat("NOT ", 1000) + "x==1",
	}
	o := decodeObject(t, object)
	for _, test := range []struct {
		texts []string
		want  bool
	}{{pass, true}, {fail, false}} {
		for _, text := range test.texts {
			f, err := parseFilter(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
			} else if f(o) != test.want {
				t.Errorf("%s: %t", text, !test.want)
			}
		}
	}
	for _, text := range wrong {
		if _, err := parseFilter(text); err == nil {
			t.Errorf("%.50s was taken", text)
		}
	}
}

func decodeObject(t testing.TB, text string) (o object) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

func FuzzFilter(f *testing.F) {
	for _, text := range []string{`elems.a.b>=1.5e3&&(x!="a\"b"||NOT EXISTS y)`, `p=~/^a\/b/i`, `q IN [1,'2',true,null]`} {
		f.Add(text)
	}
	o := decodeObject(f, `{"x":1,"elems":{"a":{"b":2},"p":"a/b","q":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if pass, err := parseFilter(text); err == nil {
			pass(o)
		}
	})
}
