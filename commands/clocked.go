package commands

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/hark-cli/hark/proto/wire"
)

// octaveClocked reports whether a message is a heartbeat.
func octaveClocked(message []byte) bool {
	var m wire.OctaveRequest
	return json.Unmarshal(message, &m) == nil && m.Type == wire.OctaveTypeHeartbeat
}

// doshiiClocked reports whether a message is a heartbeat, or the answer to one.
func doshiiClocked(message []byte) bool {
	var m wire.DoshiiMessage
	var text string
	return json.Unmarshal(message, &m) == nil && m.Doshii != nil ||
		json.Unmarshal(message, &text) == nil && wire.DoshiiIsPrimus(text)
}

// answerOctave answers a request for a session as Octave does: recordings hold no
// sessions, which are credentials.
func answerOctave(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, wire.OctaveSessionPath) {
		return false
	}
	body, err := json.Marshal(wire.OctaveSession{ID: "replay"})
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	// The client may be gone: nobody is left to be told.
	_ = json.NewEncoder(w).Encode(wire.OctaveAnswer{
		Head: &wire.OctaveHead{OK: true, Status: http.StatusCreated, Messages: []string{wire.OctaveCreated}}, Body: body,
	})
	return true
}
