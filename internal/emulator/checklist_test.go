package emulator_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// checklist lists what the emulator of each service must do, and the test for it. The
// numbers are used in the comments of the tests.
func checklist() []struct{ line, test string } {
	return []struct{ line, test string }{
		{"octave: a session request is answered with 201, the documented head and an id of the documented form", "TestOctaveSession"},
		{"octave: the user header is required for a master token and refused, or ignored, for a restricted one", "TestOctaveCredentials"},
		{"octave: bad credentials get 403, or 400 or 401 by option", "TestOctaveCredentials"},
		{"octave: an unused session ends after 30 s", "TestOctaveSessionLifetime"},
		{"octave: a session may outlive its socket for a grace period, with its messages", "TestOctaveGrace"},
		{"octave: a success is acknowledged as documented, without a status", "TestOctaveRequests"},
		{"octave: a refusal has a status: 404 unknown stream, 403 no right, 400 malformed", "TestOctaveRequests"},
		{"octave: msgId is echoed with its JSON type", "TestOctaveRequests"},
		{"octave: resource is the id of the stream, also for a subscription by path", "TestOctaveEvents"},
		{"octave: a heartbeat is taken without a reply, or with one by option", "TestOctaveHeartbeat"},
		{"octave: a silent client is closed after 60 s, in ways that can be chosen, or not at all", "TestOctaveHeartbeat"},
		{"octave: an unknown session is refused with 404, or 401 or 403 by option", "TestOctaveSessionLifetime"},
		{"octave: only events after the subscription are pushed, once for each stream", "TestOctaveEvents"},
		{"octave fault: events are left out", "TestFaultEvents"},
		{"octave fault: delayed acknowledgment, acknowledgment after the first event, null as body, members absent", "TestFaultOctave"},
		{"octave fault: duplicates, more members than documented", "TestFaultEvents"},
		{"octave fault: half-open socket", "TestFaultSilence"},
		{"octave fault: 5xx and 429 with Retry-After on the session request", "TestFaultRefuse"},
		{"octave: REST lists, reads and creates streams", "TestOctaveStreams"},
		{"octave: REST lists and creates events by id and by path", "TestOctavePublish"},
		{"octave: REST knows filter, start, limit, sort, order and only, and lists 20, the newest first", "TestOctaveListing"},
		{"octave: REST can be paged by creationDate", "TestOctaveKeyset"},
		{"octave: a stream evicts beyond its capacity, 0 and 1 included", "TestOctaveCapacity"},
		{"octave: REST lists devices and their merged events", "TestOctaveDevices"},
		{"octave: REST respects rights", "TestOctaveRESTRights"},
		{"octave: ids carry the second of creation, device events have the system's identity, commands no generatedDate", "TestOctaveEventMembers"},
		{"octave: strict mode refuses what nothing documents", "TestOctaveStrict"},

		{"drogue 1: authenticate, authorize, then look at the upgrade; the table of errors; never 401", "TestDrogueRefusals"},
		{"drogue 1: a missing upgrade is said in the reason phrase", "TestDrogueReasonPhrases"},
		{"drogue 2: unparsable credentials are anonymous, two forms are refused", "TestDrogueRefusals"},
		{"drogue 2: every form of credentials, and a public application", "TestDrogueCredentials"},
		{"drogue 3: PING every 5 s, a cut without close frame after more than 10 s, intervals to be chosen", "TestDrogueHeartbeat"},
		{"drogue 4: the expiry is checked every 90 s", "TestDrogueExpiry"},
		{"drogue 5: refreshing is silent, adopts an earlier expiry, ignores identity, works in binary; three failures", "TestDrogueRefresh"},
		{"drogue 6: an unknown message gets 1002 with the text of serde", "TestDrogueClientMessages"},
		{"drogue 6: fragmented, oversize and unmasked frames cut the connection; a close is echoed", "TestDrogueFrames"},
		{"drogue 7: one compact frame per event, extensions shuffled and all strings, all payloads, three types", "TestDrogueEvents"},
		{"drogue 8: anonymous groups start at the end", "TestDrogueAnonymous"},
		{"drogue 8: partitions by sender, shared in a group", "TestDrogueGroup"},
		{"drogue 8: named groups keep offsets", "TestDrogueOffsets"},
		{"drogue 8: the channel is looked at after consumption", "TestDrogueGroupChannels"},
		{"drogue 8: a delay before partitions are assigned", "TestDrogueAssignDelay"},
		{"drogue 9: stream error, abrupt drop", "TestFaultEndings"},
		{"drogue 9: 5xx on connect", "TestFaultRefuse"},
		{"drogue 9: pause", "TestFaultPause"},
		{"drogue 9: the last events come again after a crash", "TestDrogueCrash"},
		{"drogue 9: half-open stall", "TestDrogueZombie"},
		{"drogue 10: discovery and version", "TestDrogueDiscovery"},
		{"drogue 10: an OpenID Connect issuer with configuration, keys, token endpoint, refresh and rotation", "TestDrogueIssuer"},
		{"drogue 10: the device authorization grant", "TestDrogueDeviceFlow"},
		{"drogue 10: access tokens with valid checksums", "TestDrogueAccessTokens"},

		{"doshii 1: sockets of apps, points of sale and vendors", "TestDoshiiHandshake"},
		{"doshii 1: the socket of a vendor", "TestDoshiiVendor"},
		{"doshii 2: a ping is answered with its number and the version of the API", "TestDoshiiPong"},
		{"doshii 3: events are emit envelopes; unknown names are allowed", "TestDoshiiEnvelope"},
		{"doshii 3: payloads have the documented members", "TestDoshiiGenerated"},
		{"doshii 4: no origin, subprotocol or compression is needed", "TestDoshiiHandshake"},
		{"doshii 5: filters by event, location, terminal and channel", "TestDoshiiFilter"},
		{"doshii 6: the idle limit, how it ends, and the first ping", "TestDoshiiIdle"},
		{"doshii 7: how bad credentials and unknown devices are refused", "TestDoshiiHandshake"},
		{"doshii 8: styles of pongs", "TestDoshiiPong"},
		{"doshii 9: styles of envelopes, and the legacy heartbeat", "TestDoshiiEnvelope"},
		{"doshii 10: pings of the server and health checks", "TestDoshiiServerPing"},
		{"doshii 11: replay of a backlog", "TestDoshiiReplay"},
		{"doshii 11: delayed pongs", "TestFaultPong"},
		{"doshii 11: oversize and invalid messages", "TestFaultEndings"},
		{"doshii 11: binary messages, duplicates, losses", "TestFaultEvents"},
		{"doshii: REST with a JWT that is made anew each time", "TestDoshiiJWT"},
		{"doshii: REST subscribes to locations", "TestDoshiiSubscription"},
		{"doshii: REST keeps devices", "TestDoshiiDevices"},
		{"all: events from NDJSON and over HTTP", "TestPublish"},
		{"all: the same seed, the same run", "TestSeed"},
	}
}

// Every line of the checklist names a test that exists.
func TestChecklist(t *testing.T) {
	var names []string
	for _, pattern := range []string{"*_test.go", "*/*_test.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	tests := make(map[string]bool)
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") {
				tests[fn.Name.Name] = true
			}
		}
	}
	for _, item := range checklist() {
		if !tests[item.test] {
			t.Errorf("%s: there is no test %s", item.line, item.test)
		}
	}
}
