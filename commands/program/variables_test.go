package program

import "testing"

func TestNearVariable(t *testing.T) {
	known := map[string]bool{"": true, "HARK_DROGUE_TOKEN": true, "HARK_OCTAVE_TOKEN": true, "HARK_COUNT": true, "HARK_JQ": true, "HARK_CONFIG": true}
	for name, want := range map[string]string{
		"HARK_DROGUE_TOKN": "HARK_DROGUE_TOKEN", "HARK_DROGUE_TOEKN": "HARK_DROGUE_TOKEN", "HARK_CUONT": "HARK_COUNT", "HARK_CONFG": "HARK_CONFIG",
		"HARK_BIN": "", "HARK_JX": "", "HARK_VERSION": "", "HARK_TOKEN": "",
	} {
		if got := nearVariable(name, known); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
