package proto

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hark-cli/hark/internal/netdial"
	"github.com/hark-cli/hark/internal/wsconn"
	"github.com/hark-cli/hark/internal/wsserver"
	"github.com/hark-cli/hark/proto/frame"
)

// Violations that the library accepts end the connection with the status of RFC 6455;
// messages before them, even in the same piece, are events.
func TestStrictness(t *testing.T) {
	long := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Length: 300})
	long = append(long[:2:2], 0, 5)
	half := append(frame.AppendHeader(nil, frame.Header{Opcode: frame.OpText, Length: 2}), "\xe2\x82"...)
	half = append(half, frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpContinuation, Length: 1})...)
	tests := []struct {
		name string
		send []byte
		text string
		code int
	}{
		{"text", frameBytes(frame.OpText, "a\xffb"), "protocol error: the server sent a text message that is not UTF-8", frame.StatusInvalid},
		{"fragments", append(bytes.Clone(half), '('), "protocol error: the server sent a text message that is not UTF-8", frame.StatusInvalid},
		{"close reason", frameBytes(frame.OpClose, "\x03\xe8bye\xff"), "protocol error: the reason in the server's close frame is not UTF-8", frame.StatusInvalid},
		{"masked", append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Masked: true, Length: 1}), 'x'),
			"protocol error: the server masked a frame", frame.StatusProtocol},
		{"length", append(long, "hello"...), "protocol error: the server encoded the length of a frame", frame.StatusProtocol},
		{"short close", frameBytes(frame.OpClose, "\x03"), "protocol error: the server sent a close frame of 1 byte", frame.StatusProtocol},
		{"close code", frameBytes(frame.OpClose, "\x07\xd0"), "protocol error: the server sent a close frame with the status code 2000", frame.StatusProtocol},
		{"long ping", frameBytes(frame.OpPing, strings.Repeat("x", 126)), "protocol error: the server sent a ping frame of 126 bytes", frame.StatusProtocol},
		{"reserved bit", frame.AppendHeader(nil, frame.Header{Fin: true, RSV: 4, Opcode: frame.OpText}), "protocol error: the server set a reserved bit", frame.StatusProtocol},
	}
	for _, tt := range tests {
		for way := range 4 {
			together, library := way&1 == 0, way&2 == 0
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var code int
					nw := &network{t: t, serve: func(_ int, p *peer) {
						fine := frameBytes(frame.OpText, "fine €")
						if together {
							go p.conn.Write(append(fine, tt.send...))
						} else {
							p.conn.Write(fine)
							go func() {
								for i := range tt.send {
									p.conn.Write(tt.send[i : i+1])
								}
							}()
						}
						_, code = p.untilClose()
					}}
					var sink recorder
					o := testOptions(nw)
					o.Dial.noFastPath = library
					err := runTest(t, nw, &sink, o)
					f, ok := errors.AsType[*Failure](err)
					if !ok || f.Class != Refused || !strings.HasPrefix(err.Error(), tt.text) {
						t.Errorf("Run: %v, want %s", err, tt.text)
					}
					nw.wg.Wait()
					if code != tt.code {
						t.Errorf("close code %d, want %d", code, tt.code)
					}
					if diff := cmp.Diff([]string{"fine €"}, sink.events); diff != "" {
						t.Errorf("events (-want +got):\n%s", diff)
					}
				})
			})
		}
	}
}

// A close frame within a compressed message is a close frame.
func TestCloseWithinACompressedMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.conn.Write(append(frame.AppendHeader(nil, frame.Header{RSV: 4, Opcode: frame.OpText, Length: 1}), '0'))
			p.send(frame.OpClose, "\x03\xf3oops")
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Retries = 0
		o.Dial.Compression = true
		o.Transport = nw.deflating()
		var sink recorder
		err := runTest(t, nw, &sink, o)
		if c, ok := errors.AsType[*CloseError](err); !ok || c.Code != frame.StatusInternal || c.Reason != "oops" || len(sink.events) > 0 {
			t.Errorf("Run: %v, %q", err, sink.events)
		}
		nw.wg.Wait()
	})
}

// A close frame that is too long is classified by its code, and its reason is truncated
// between two characters.
func TestOversizeCloseFrame(t *testing.T) {
	for _, tt := range []struct {
		reason, want string
		more         bool // than has arrived yet
	}{
		{strings.Repeat("x", 190), strings.Repeat("x", 123), false},
		{"x" + strings.Repeat("é", 100), "x" + strings.Repeat("é", 61), false},
		{strings.Repeat("é", 62), strings.Repeat("é", 61), false},
		{strings.Repeat("x", 125), strings.Repeat("x", 123), true},
	} {
		for _, library := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, serve: func(n int, p *peer) {
					p.text("fine")
					if n == 2 {
						p.untilClose()
						return
					}
					payload := string(binary.BigEndian.AppendUint16(nil, frame.StatusInternal)) + tt.reason
					sent := frameBytes(frame.OpClose, payload)
					if tt.more {
						sent = append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpClose, Length: 1 << 40}), payload...)
					}
					p.conn.Write(sent)
					if _, code := p.untilClose(); code != frame.StatusProtocol {
						t.Errorf("answered with %d", code)
					}
				}}
				o := testOptions(nw)
				o.Dial.noFastPath = library
				var d traceRecorder
				o.Trace = d.trace()
				if err := runTest(t, nw, &recorder{limit: 2}, o); !errors.Is(err, errEnough) {
					t.Errorf("Run: %v", err)
				}
				_, st, _ := firstOf[Disconnected](d.statuses)
				if ce, ok := errors.AsType[*CloseError](st.Err); !ok || ce.Code != frame.StatusInternal || ce.Reason != tt.want {
					t.Errorf("disconnected: %v, want the reason %q", st.Err, tt.want)
				}
				nw.wg.Wait()
			})
		}
	}
}

// A server must not select what was not offered.
func TestHandshakeStrictness(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		text   string
	}{
		{"subprotocol", http.Header{"Sec-Websocket-Protocol": {"v9"}}, `the server chose the subprotocol "v9", which was not offered`},
		{"two subprotocols", http.Header{"Sec-Websocket-Protocol": {"v1", "v2"}}, "the server chose 2 subprotocols"},
		{"list of subprotocols", http.Header{"Sec-Websocket-Protocol": {"v1, v2"}}, `the server chose the subprotocol "v1, v2"`},
		{"extension", http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; server_no_context_takeover"}}, `the server uses the extension "permessage-deflate", which was not negotiated`},
		{"accept", http.Header{"Sec-Websocket-Accept": {"x"}}, "the Sec-WebSocket-Accept header of the server's answer does not match the request"},
		{"connection", http.Header{"Connection": {"close"}}, "does not say Upgrade: websocket"},
		{"upgrade", http.Header{"Upgrade": {"h2c"}}, "does not say Upgrade: websocket"},
		{"no accept", http.Header{"Sec-Websocket-Accept": nil}, "has no Sec-WebSocket-Accept header"},
		{"two accepts", http.Header{"Sec-Websocket-Accept": {"x", "x"}}, "has 2 Sec-WebSocket-Accept headers"},
		{"good", http.Header{"Sec-Websocket-Protocol": {"v2"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw := &network{t: t, serve: func(_ int, p *peer) {
					p.send(frame.OpClose, "\x03\xe8")
					p.untilClose()
				}}
				o := testOptions(nw)
				o.Retries = 0
				o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
					resp, err := nw.RoundTrip(req)
					maps.Copy(resp.Header, tt.header)
					return resp, err
				})
				err := Run(t.Context(), &rawService{URL: "ws://test/", Subprotocols: []string{"v1", "v2"}}, &recorder{}, o)
				if tt.text == "" {
					if err != nil {
						t.Errorf("Run: %v", err)
					}
				} else if f, ok := errors.AsType[*Failure](err); !ok || f.Class != Unreachable || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Run: %v, want %s", err, tt.text)
				}
				nw.wg.Wait()
			})
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A server that requests replies and does not read them does not fill memory: nothing
// more is read from it, and finally it is disconnected.
func TestAnswersThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		nw := &network{t: t, unread: true, serve: func(_ int, p *peer) {
			for p.send(frame.OpText, "ask") {
				sent++
			}
		}}
		o := testOptions(nw)
		o.Retries = 0
		start := time.Now()
		err := Run(testContext(t), asking{}, &recorder{}, o)
		if _, ok := errors.AsType[*LostError](err); !ok || !strings.Contains(err.Error(), "has not read") {
			t.Errorf("Run: %v", err)
		}
		if d := time.Since(start); d != wsconn.StuckTime {
			t.Errorf("gave up after %s, want %s", d, wsconn.StuckTime)
		}
		nw.wg.Wait()
		// The data read causes replies for one batch more than fit into the outbox.
		if limit := 4096 + 4*(64<<10); sent > limit {
			t.Errorf("%d messages were taken, want at most %d", sent, limit)
		}
	})
}

// asking is a service that answers every message.
type asking struct{}

func (asking) Name() string { return "asking" }

func (a asking) Start() Source { return a }

func (a asking) Handshake(context.Context) (*Handshake, error) {
	return &Handshake{URL: "ws://test/", Session: a}, nil
}

func (asking) OnOpen(time.Time) []Effect { return []Effect{StreamReady{}} }

func (asking) Decode(m Message) (event bool, _ []Effect, _ error) {
	return false, []Effect{Send{Text(bytes.Clone(m.Data))}}, nil
}

func (asking) OnClose() []Frame { return nil }

// A slow reader of stdout, and a server that sends only headers of frames.
func TestFloodOfEmptyMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.conn.Write(bytes.Repeat(frameBytes(frame.OpText, ""), n))
			p.send(frame.OpClose, "\x03\xe8")
			p.untilClose()
		}}
		o := testOptions(nw)
		o.Retries = 0
		var sink recorder
		if err := runTest(t, nw, &sink, o); err != nil {
			t.Errorf("Run: %v", err)
		}
		if len(sink.events) != n {
			t.Errorf("got %d events, want %d", len(sink.events), n)
		}
		nw.wg.Wait()
	})
}

func TestRedirects(t *testing.T) {
	server := func(t *testing.T, location func(path string) string) (*network, *[]*http.Request) {
		var seen []*http.Request
		nw := &network{t: t, serve: func(_ int, p *peer) {
			p.send(frame.OpClose, "\x03\xe8")
			p.untilClose()
		}}
		nw.refuse = func(_ int, req *http.Request) (*http.Response, error) {
			seen = append(seen, req)
			if to := location(req.URL.Path); to != "" {
				return answer(http.StatusFound, http.Header{"Location": {to}}, ""), nil
			}
			return nil, nil
		}
		return nw, &seen
	}
	to := func(m map[string]string) func(string) string { return func(p string) string { return m[p] } }
	header := http.Header{"Authorization": {"Basic x"}, "X-Api-Key": {"k"}, "Cookie": {"c"}, "Origin": {"http://o"}}
	tests := []struct {
		name     string
		location func(string) string
		max      int
		err      string
		last     string // address of the last request
		secrets  bool   // it has them
	}{
		{"off", to(map[string]string{"/a": "/b"}), 0, "HTTP 302 Found", "http://test/a", true},
		{"same origin", to(map[string]string{"/a": "/b?x=1", "/b": "http://TEST:80/c"}), 5, "", "http://TEST:80/c", true},
		{"other port", to(map[string]string{"/a": "ws://test:81/c"}), 5, "", "http://test:81/c", false},
		{"other scheme", to(map[string]string{"/a": "wss://test/c"}), 5, "", "https://test/c", false},
		{"back again", to(map[string]string{"/a": "http://other/b", "/b": "http://test/c"}), 5, "", "http://test/c", false},
		{"endless", to(map[string]string{"/a": "/a"}), 3, "HTTP 302 Found: 3 redirects were followed", "http://test/a", true},
		{"no WebSocket", to(map[string]string{"/a": "file:///etc/passwd"}), 3, `it leads to an address of the scheme "file"`, "http://test/a", true},
		{"nowhere", to(map[string]string{"/a": "http:///x"}), 3, "has no host name", "http://test/a", true},
		{"unreadable", to(map[string]string{"/a": "http://[::1/"}), 3, "cannot be read", "http://test/a", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nw, seen := server(t, tt.location)
				o := testOptions(nw)
				o.Retries = 0
				o.Dial = DialOptions{MaxRedirects: tt.max, Header: http.Header{"X-More": {"m"}, "X-Api-Key": {"not this"}}}
				err := Run(t.Context(), &rawService{URL: "ws://test/a", Header: header}, &recorder{}, o)
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("Run: %v, want %q", err, tt.err)
				}
				last := (*seen)[len(*seen)-1]
				if got := last.URL.String(); got != tt.last {
					t.Errorf("the last request went to %s, want %s", got, tt.last)
				}
				for _, name := range []string{"Authorization", "X-Api-Key", "Cookie", "X-More"} {
					if got := last.Header.Get(name) != ""; got != tt.secrets {
						t.Errorf("%s: %t, want %t", name, got, tt.secrets)
					}
				}
				if got := last.Header.Get("X-Api-Key"); tt.secrets && got != "k" {
					t.Errorf("X-Api-Key: %s, want the one of the service", got)
				}
				nw.wg.Wait()
			})
		})
	}
}

// A handshake that arrives byte by byte ends with its time limit, and an endless one
// with its size limit.
func TestHostileHandshakes(t *testing.T) {
	head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		wsserver.AcceptKey("key") + "\r\n"
	drip := func(c net.Conn, s string, endless bool) {
		for i := 0; endless || i < len(s); i++ {
			if _, err := c.Write([]byte{s[i%len(s)]}); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
	tests := []struct {
		name  string
		serve func(net.Conn)
		text  string
	}{
		{"drip of the header", func(c net.Conn) { drip(c, head, false) }, "no connection within 10s"},
		{"drip of an error", func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n")
			drip(c, "x", true)
		}, "HTTP 500 Internal Server Error: x"},
		{"header bomb", func(c net.Conn) {
			io.WriteString(c, head)
			for {
				if _, err := io.WriteString(c, "X-Fill: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, "the header of the answer is too large"},
		{"interim answers", func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nX-Fill: "+strings.Repeat("x", 1000)+"\r\n\r\n"); err != nil {
					return
				}
			}
		}, "the header of the answer is too large"},
		{"no HTTP", func(c net.Conn) {
			io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
			time.Sleep(time.Second)
		}, "the answer is not HTTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wg sync.WaitGroup
				defer wg.Wait()
				n := netdial.NewTransport(&netdial.Network{MaxHeader: 64 << 10, Dial: func(context.Context, string, string) (net.Conn, error) {
					client, server := net.Pipe()
					wg.Go(func() {
						defer server.Close()
						if _, err := http.ReadRequest(bufio.NewReader(server)); err != nil {
							return
						}
						wg.Go(func() { io.Copy(io.Discard, server) })
						tt.serve(server)
					})
					return client, nil
				}})
				defer n.CloseIdleConnections()
				o := DefaultOptions()
				o.Transport = n
				o.Retries = 0
				start := time.Now()
				err := Run(t.Context(), testService, &recorder{}, o)
				if err == nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("Run: %v, want %s", err, tt.text)
				}
				if d := time.Since(start); d > o.ConnectTimeout {
					t.Errorf("it took %s, more than %s", d, o.ConnectTimeout)
				}
			})
		})
	}
}

// A connection that ends within a message is lost, and the incomplete message is not an
// event.
func TestCutWithinAMessage(t *testing.T) {
	whole := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.OpText, Length: 5000})
	fragment := func(op frame.Opcode, text string) []byte {
		return append(frame.AppendHeader(nil, frame.Header{Opcode: op, Length: uint64(len(text))}), text...)
	}
	two := append(fragment(frame.OpText, "ab"), fragment(frame.OpContinuation, "")...)
	tests := map[string][]byte{
		"head":       whole[:1],
		"length":     whole[:3],
		"payload":    whole,
		"1 byte":     append(bytes.Clone(whole), 'x'),
		"4 KiB":      append(bytes.Clone(whole), strings.Repeat("x", 4096-len(whole))...),
		"all but 1":  append(bytes.Clone(whole), strings.Repeat("x", 4999)...),
		"fragment":   fragment(frame.OpText, "ab"),
		"empty":      fragment(frame.OpText, ""),
		"fragments":  two,
		"large":      append(fragment(frame.OpText, strings.Repeat("x", 2*(64<<10))), 0x80),
		"a ping too": append(fragment(frame.OpText, "ab"), frameBytes(frame.OpPing, "x")...),
	}
	for name, send := range tests {
		for way := range 3 {
			compression, library := way == 1, way == 2
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					nw := &network{t: t, serve: func(_ int, p *peer) {
						go func() {
							for range p.in {
							}
						}()
						p.conn.Write(append(frameBytes(frame.OpText, "fine"), send...))
					}}
					var sink recorder
					o := testOptions(nw)
					o.Retries = 0
					o.Dial.noFastPath = library
					if compression {
						o.Dial.Compression = true
						o.Transport = nw.deflating()
					}
					err := runTest(t, nw, &sink, o)
					if _, ok := errors.AsType[*LostError](err); !ok {
						t.Errorf("Run: %v", err)
					}
					if diff := cmp.Diff([]string{"fine"}, sink.events); diff != "" {
						t.Errorf("events (-want +got):\n%s", diff)
					}
					nw.wg.Wait()
				})
			})
		}
	}
}

// deflating is the network with servers that agree to permessage-deflate.
func (nw *network) deflating() roundTrip {
	return func(req *http.Request) (*http.Response, error) {
		resp, err := nw.RoundTrip(req)
		resp.Header.Set("Sec-Websocket-Extensions", "permessage-deflate")
		return resp, err
	}
}
