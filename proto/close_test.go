package proto

import (
	"errors"
	"testing"
	"time"
)

// A closing handshake has one cause, the first, and a limit.
func TestClosing(t *testing.T) {
	first, second := lostTo(errors.New("first")), stop(nil)
	var c closing
	if !c.begin(first, noon.Add(time.Second)) || c.begin(second, noon.Add(time.Hour)) {
		t.Error("a closing handshake begins once")
	}
	if e := c.due(noon.Add(time.Second - 1)); e.came() {
		t.Errorf("ended before its time: %v", e)
	}
	if e := c.due(noon.Add(time.Second)); e != first {
		t.Errorf("ended with %v", e)
	}
}

func TestEnds(t *testing.T) {
	normal := &CloseError{Code: 1000}
	for _, tt := range []struct {
		name         string
		end          end
		result       error
		closedByPeer bool
	}{
		{"closed by the peer", lostTo(normal), normal, true},
		{"closed by the peer for a reason", lostTo(&CloseError{Code: 1011}), &CloseError{Code: 1011}, false},
		{"stopped because of a close", stop(normal), normal, false},
		{"closed from here", end{closedHere, errClosedHere}, nil, false},
		{"ended by the sink", stop(nil), nil, false},
	} {
		if !tt.end.came() || tt.end.closedByPeer() != tt.closedByPeer {
			t.Errorf("%s: came %t, closed by the peer %t", tt.name, tt.end.came(), tt.end.closedByPeer())
		}
		if got := tt.end.result(); (got == nil) != (tt.result == nil) || got != nil && got.Error() != tt.result.Error() {
			t.Errorf("%s: result %v, want %v", tt.name, got, tt.result)
		}
	}
	if (end{}).came() {
		t.Error("what goes on has ended")
	}
}
