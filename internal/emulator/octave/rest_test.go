package octave

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hark-cli/hark/internal/emulator"
	"github.com/hark-cli/hark/internal/emulator/emulatortest"
	"github.com/hark-cli/hark/proto/frame"
	"github.com/hark-cli/hark/proto/octave/wire"
)

const octaveAPI = "/octave/v5.0"

// rest sends a REST request with the master token and returns the response.
func (b *bench) rest(method, path, body string, headers ...string) (int, wire.Answer) {
	b.T.Helper()
	if headers == nil {
		headers = masterHeaders()
	}
	status, data := b.Do(method, octaveAPI+path, body, headers...)
	a := emulatortest.Unmarshal[wire.Answer](b.T, data)
	if a.Head == nil || a.Head.Status != status || a.Head.OK != (status < 300) || a.Head.OK != (len(a.Head.Errors) == 0) {
		b.T.Errorf("%s %s: head of %d: %s", method, path, status, data)
	}
	return status, a
}

// numbers returns elems.n of the events of a listing.
func (b *bench) numbers(path string) (ns []int) {
	b.T.Helper()
	status, a := b.rest("GET", path, "")
	if status != 200 {
		b.T.Fatalf("%s: %d %s", path, status, a.Head.Errors)
	}
	for _, e := range emulatortest.Unmarshal[[]struct{ Elems struct{ N int } }](b.T, a.Body) {
		ns = append(ns, e.Elems.N)
	}
	return ns
}

// publish creates numbered events from first to last through REST.
func (b *bench) publishNumbers(path string, first, last int) {
	b.T.Helper()
	for n := first; n <= last; n++ {
		body := fmt.Sprintf(`{"path":%q,"elems":{"n":%d}}`, path, n)
		if status, a := b.rest("POST", "/demo/event", body); status != 201 {
			b.T.Fatalf("publishing: %d %s", status, a.Head.Errors)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestOctaveStreams(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		status, a := b.rest("GET", "/demo/stream?limit=100&sort=path&order=asc", "")
		streams := emulatortest.Unmarshal[[]wire.Stream](t, a.Body)
		paths := map[string]string{}
		for _, s := range streams {
			paths[s.Path] = s.ID
		}
		if status != 200 || paths[DemoStream] == "" || paths["/demo/devices/pump_01/temperature"] == "" || paths[DemoPrivateStream] != "" {
			t.Errorf("%d: %v", status, paths)
		}
		if status, a := b.rest("GET", "/demo/stream/"+paths[DemoUnkeptStream], ""); status != 200 ||
			emulatortest.Unmarshal[wire.Stream](t, a.Body).Capacity != 0 {
			t.Errorf("one stream: %d %s", status, a.Body)
		}
		if _, a := b.rest("GET", "/demo/stream", ""); len(emulatortest.Unmarshal[[]any](t, a.Body)) != wire.Limit {
			t.Errorf("%s without a limit", a.Body)
		}
		for _, test := range []struct {
			body   string
			status int
		}{
			{`{"path":"/demo/mine","description":"d","capacity":5}`, 201},
			{`{"path":"/demo/mine"}`, 400},
			{`{"path":"/other/mine"}`, 400},
			{`{"path":"/demo/more","capacity":100001}`, 400},
			{`{"path":"/demo/more","capacity":-1}`, 400},
			{`{"path":`, 400},
		} {
			status, a := b.rest("POST", "/demo/stream", test.body)
			if status != test.status {
				t.Errorf("creating %s: %d %s", test.body, status, a.Head.Errors)
			}
			if status == 201 && a.Head.Messages[0] != wire.Created {
				t.Errorf("creating %s: %s", test.body, a.Head.Messages)
			}
		}
	})
}

// Octave checklist: permissions in the REST interface.
func TestOctaveRESTRights(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		id := b.octave.store.find("", DemoPrivateStream).ID
		for _, test := range []struct {
			name, method, path, body string
			headers                  []string
			status                   int
		}{
			{"no credentials", "GET", "/demo/stream", "", []string{"X-None: 1"}, 403},
			{"wrong token", "GET", "/demo/stream", "", []string{"X-Auth-User: demo_user", "X-Auth-Token: x"}, 403},
			{"no company header needed", "GET", "/demo/stream", "", []string{"X-Auth-User: demo_user", "X-Auth-Token: " + Token}, 200},
			{"another company", "GET", "/acme/stream", "", nil, 403},
			{"private by path", "GET", "/demo/event?path=" + DemoPrivateStream, "", nil, 403},
			{"private by id", "GET", "/demo/event/" + id, "", nil, 403},
			{"private, publish", "POST", "/demo/event/" + id, `{"elems":{}}`, nil, 403},
			{"unknown stream", "GET", "/demo/event/s53b1d1600cf27b75148de0ac", "", nil, 404},
			{"unknown thing", "GET", "/demo/things", "", nil, 404},
			{"neither id nor path", "GET", "/demo/event", "", nil, 400},
			{"wrong method", "DELETE", "/demo/stream", "", nil, 405},
			{"restricted, read", "GET", "/demo/event?path=" + DemoStream, "", restrictedHeaders(), 200},
			{"restricted, write", "POST", "/demo/event", `{"path":"/demo/stream","elems":{}}`, restrictedHeaders(), 403},
			{"restricted, other stream", "GET", "/demo/event?path=" + DemoLatestStream, "", restrictedHeaders(), 403},
			{"restricted, identity", "GET", "/global/identity", "", restrictedHeaders(), 404},
			{"identity", "GET", "/global/identity", "", nil, 200},
			{"companies", "GET", "/global/company", "", nil, 200},
			{"one company", "GET", "/global/company/" + companyID, "", nil, 200},
		} {
			if status, a := b.rest(test.method, test.path, test.body, test.headers...); status != test.status {
				t.Errorf("%s: %d %s, want %d", test.name, status, a.Head.Errors, test.status)
			}
		}
	})
	opts := quiet()
	opts.Octave.NoRestrictedREST = true
	inBubble(t, opts, func(b *bench) {
		if status, _ := b.rest("GET", "/demo/event?path="+DemoStream, "", restrictedHeaders()...); status != 403 {
			t.Errorf("restricted token without REST: %d", status)
		}
		b.Dial(b.session(restrictedHeaders()...))
	})
}

// Octave checklist: events are created by id and by path, with the response 201 and the
// event, pushed to the socket and listed.
func TestOctavePublish(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		id := b.octave.store.find("", DemoStream).ID
		c := b.Dial(b.session(masterHeaders()...))
		c.Send(frame.OpText, subscribeTo(DemoStream))
		c.WantText(octaveOK)
		for _, test := range []struct{ path, body, elems string }{
			{"/demo/event/" + id, `{"elems":{"z":9007199254740993,"a":"<&>"}}`, `{"z":9007199254740993,"a":"<&>"}`},
			{"/demo/event", `{"path":"/demo/stream","elems":{"n":2}}`, `{"n":2}`},
			{"/demo/event/", `{"elems":{"n":3,"path":"/demo/stream"}}`, `{"n":3,"path":"/demo/stream"}`},
		} {
			status, a := b.rest("POST", test.path, test.body)
			e := emulatortest.Unmarshal[wire.Event](t, a.Body)
			if status != 201 || a.Head.Messages[0] != wire.Created || string(e.Elems) != test.elems ||
				string(e.Version) != "0" || string(e.GeneratedDate) != fmt.Sprint(e.CreationDate) || e.StreamID != id {
				t.Errorf("%s: %d %s", test.body, status, a.Body)
			}
			m := emulatortest.Unmarshal[wire.Message](t, []byte(c.Text()))
			if pushed := emulatortest.Unmarshal[wire.Event](t, m.Value); pushed.ID != e.ID || string(pushed.Elems) != test.elems || pushed.Version != nil {
				t.Errorf("pushed %s", m.Value)
			}
			time.Sleep(time.Millisecond)
		}
		_, a := b.rest("GET", "/demo/event/"+id, "")
		if stored := emulatortest.Unmarshal[[]wire.Event](t, a.Body); len(stored) != 3 || string(stored[2].Elems) != `{"z":9007199254740993,"a":"<&>"}` {
			t.Errorf("listed %s", a.Body)
		}
		for _, body := range []string{``, `{}`, `{"elems":1}`, `{"elems":{}`, `{"path":1,"elems":{}}`} {
			if status, _ := b.rest("POST", "/demo/event/"+id, body); status != 400 {
				t.Errorf("%q: %d", body, status)
			}
		}
		c.WantQuiet(time.Second)
	})
}

// Octave checklist: filter, start, limit, sort, order, only; 20 newest first.
func TestOctaveListing(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		b.publishNumbers(DemoStream, 1, 25)
		at := "/demo/event?path=" + DemoStream
		for _, test := range []struct {
			query string
			want  []int
		}{
			{"", []int{25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6}},
			{"&limit=3", []int{25, 24, 23}},
			{"&limit=3&start=2", []int{23, 22, 21}},
			{"&limit=3&order=asc", []int{1, 2, 3}},
			{"&limit=3&start=24&order=asc", []int{25}},
			{"&start=100", nil},
			{"&limit=0", nil},
			{"&limit=3&order=asc&sort=creationDate", []int{1, 2, 3}},
			{"&limit=3&order=desc&sort=elems.n", []int{25, 24, 23}},
			{"&limit=3&order=asc&sort=elems.n", []int{1, 2, 3}},
			{"&limit=2&order=asc&sort=no.such.member", []int{1, 2}},
			{"&order=asc&filter=" + url.QueryEscape("elems.n>=3&&elems.n<6"), []int{3, 4, 5}},
			{"&order=asc&filter=" + url.QueryEscape("n==7||n==9"), []int{7, 9}},
			{"&only=elems&limit=2", []int{25, 24}},
		} {
			if got := b.numbers(at + test.query); !slices.Equal(got, test.want) {
				t.Errorf("%s: %v, want %v", test.query, got, test.want)
			}
		}
		_, a := b.rest("GET", at+"&only=elems.n,path&limit=1", "")
		if want := `[{"elems":{"n":25},"path":"/demo/stream"}]`; string(a.Body) != want {
			t.Errorf("only: %s", a.Body)
		}
		for _, query := range []string{"&limit=x", "&start=-1", "&order=up", "&filter=" + url.QueryEscape("n =="), "&filter=AGE%20%3C%205"} {
			if status, a := b.rest("GET", at+query, ""); status != 400 {
				t.Errorf("%s: %d %s", query, status, a.Body)
			}
		}
	})
}

// Octave checklist: paging with a filter on creationDate returns every event once,
// although others are added and evicted meanwhile.
func TestOctaveKeyset(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		b.publishNumbers(DemoStream, 1, 50)
		var got []int
		seen := map[string]bool{}
		for since := int64(0); ; {
			_, a := b.rest("GET", "/demo/event?path=/demo/stream&sort=creationDate&order=asc&limit=7&filter="+
				url.QueryEscape(fmt.Sprintf("creationDate>=%d", since)), "")
			fresh := 0
			for _, e := range emulatortest.Unmarshal[[]struct {
				wire.Event
				Elems struct{ N int } `json:"elems"`
			}](t, a.Body) {
				if !seen[e.ID] {
					seen[e.ID] = true
					got = append(got, e.Elems.N)
					fresh++
				}
				since = e.CreationDate
			}
			if fresh == 0 {
				break
			}
			if len(got) == 13 { // after two pages
				b.publishNumbers(DemoStream, 51, 60)
			}
		}
		for i, n := range got {
			if n != i+1 {
				t.Fatalf("got %v", got)
			}
		}
		if len(got) != 60 {
			t.Errorf("%d events", len(got))
		}
	})
}

// Octave checklist: beyond its capacity a stream loses its oldest events; 0 stores
// nothing, 1 overwrites the same event.
func TestOctaveCapacity(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		if status, _ := b.rest("POST", "/demo/stream", `{"path":"/demo/five","capacity":5}`); status != 201 {
			t.Fatal(status)
		}
		for _, test := range []struct {
			path string
			want []int
		}{{"/demo/five", []int{12, 11, 10, 9, 8}}, {DemoUnkeptStream, nil}, {DemoLatestStream, []int{12}}} {
			c := b.Dial(b.session(masterHeaders()...))
			c.Send(frame.OpText, subscribeTo(test.path))
			c.WantText(octaveOK)
			b.publishNumbers(test.path, 1, 12)
			if got := b.numbers("/demo/event?path=" + test.path); !slices.Equal(got, test.want) {
				t.Errorf("%s keeps %v, want %v", test.path, got, test.want)
			}
			ids := map[string]bool{}
			for range 12 {
				m := emulatortest.Unmarshal[wire.Message](t, []byte(c.Text()))
				ids[emulatortest.Unmarshal[wire.Event](t, m.Value).ID] = true
			}
			if n := len(ids); (n == 1) != (test.path == DemoLatestStream) {
				t.Errorf("%s: %d different ids", test.path, n)
			}
		}
	})
}

func TestOctaveDevices(t *testing.T) {
	opts := byDefault()
	inBubble(t, opts, func(b *bench) {
		b.octave.host.Listening() // as the first listener does
		time.Sleep(20 * time.Second)
		_, a := b.rest("GET", "/demo/device?sort=name&order=asc", "")
		devices := emulatortest.Unmarshal[[]struct {
			ID, Name, Path string
			LastSeen       int64
		}](t, a.Body)
		if len(devices) != 3 || devices[0].Name != "pump_01" || time.Since(time.UnixMilli(devices[0].LastSeen)) > 3*time.Second {
			t.Fatalf("%s", a.Body)
		}
		if status, a := b.rest("GET", "/demo/device/"+devices[0].ID, ""); status != 200 || !strings.Contains(string(a.Body), `"pump_01"`) {
			t.Errorf("by id: %d %s", status, a.Body)
		}
		if status, _ := b.rest("GET", "/demo/device/nobody", ""); status != 404 {
			t.Errorf("unknown device: %d", status)
		}
		filter := url.QueryEscape(`path!="/demo/devices/pump_01/level"`)
		_, a = b.rest("GET", "/demo/device/events/pump_01?order=asc&limit=100&filter="+filter, "")
		events := emulatortest.Unmarshal[[]wire.Event](t, a.Body)
		for i, e := range events {
			if !strings.HasPrefix(e.Path, "/demo/devices/pump_01/") || e.Path == "/demo/devices/pump_01/level" ||
				i > 0 && e.CreationDate < events[i-1].CreationDate {
				t.Errorf("event %d: %+v", i, e)
			}
		}
		if len(events) < 10 {
			t.Errorf("%d events of the device in 20 s", len(events))
		}
	})
}

// Octave checklist: ids contain the second of creation; the system creates the events
// of devices; a command has no generatedDate.
func TestOctaveEventMembers(t *testing.T) {
	inBubble(t, byDefault(), func(b *bench) {
		b.octave.host.Listening() // as the first listener does
		time.Sleep(30 * time.Second)
		_, a := b.rest("GET", "/demo/device/events/pump_02?limit=1000", "")
		commands := 0
		for _, e := range emulatortest.Unmarshal[[]wire.Event](t, a.Body) {
			command := strings.HasSuffix(e.Path, ":command")
			if command {
				commands++
			}
			if (e.CreatorID == systemID) == command || (string(e.GeneratedDate) == "null") != command ||
				!strings.HasPrefix(e.ID, fmt.Sprintf("e%08x", e.CreationDate/1000)) {
				t.Errorf("%s", emulator.MustJSON(e))
			}
		}
		if commands == 0 {
			t.Error("no command")
		}
	})
}

// Empty results are lists, too.
func TestOctaveEmptyList(t *testing.T) {
	inBubble(t, quiet(), func(b *bench) {
		if _, a := b.rest("GET", "/demo/event?path=/demo/stream", ""); string(a.Body) != "[]" {
			t.Errorf("got %s", a.Body)
		}
	})
}
