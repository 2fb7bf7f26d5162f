package wsconn

import (
	"strings"
	"testing"
)

func TestCheckExtensions(t *testing.T) {
	offer := []string{"permessage-deflate"}
	for _, tt := range []struct {
		used, text string
	}{
		{"", ""},
		{"permessage-deflate", ""},
		{"permessage-deflate; server_no_context_takeover; client_no_context_takeover", ""},
		{"permessage-deflate; server_max_window_bits=15", ""},
		{`permessage-deflate; server_max_window_bits="8"`, ""},
		{"permessage-deflate; server_max_window_bits=99", `invalid parameter "server_max_window_bits=99"`},
		{"permessage-deflate; server_max_window_bits=7", `invalid parameter "server_max_window_bits=7"`},
		{"permessage-deflate; server_max_window_bits=08", `invalid parameter "server_max_window_bits=08"`},
		{"permessage-deflate; server_max_window_bits=+9", `invalid parameter "server_max_window_bits=+9"`},
		{"permessage-deflate; server_max_window_bits=", `invalid parameter "server_max_window_bits="`},
		{"permessage-deflate; server_max_window_bits", `invalid parameter "server_max_window_bits"`},
		{"permessage-deflate; client_max_window_bits=15", `invalid parameter "client_max_window_bits=15"`},
		{"permessage-deflate; server_no_context_takeover=1", `invalid parameter "server_no_context_takeover=1"`},
		{"permessage-deflate; x", `invalid parameter "x"`},
		{"permessage-deflate; =", `invalid parameter "="`},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", `"server_no_context_takeover" of permessage-deflate twice`},
		{"permessage-deflate, permessage-deflate", "extension permessage-deflate twice"},
		{"x-webkit-deflate-frame", `extension "x-webkit-deflate-frame", which was not negotiated`},
	} {
		err := checkExtensions(offer, []string{tt.used})
		switch {
		case tt.text == "" && err != nil:
			t.Errorf("%s: %v", tt.used, err)
		case tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)):
			t.Errorf("%s: %v, want %q", tt.used, err, tt.text)
		}
	}
	if err := checkExtensions(nil, offer); err == nil {
		t.Error("an extension that was not offered passes")
	}
}
