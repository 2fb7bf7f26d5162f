package lineedit

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Keys that readline does not know, or that it would handle itself, are passed through
// it as runes of a private use plane.
const (
	keyWake rune = 0x10FF00 + iota
	keyEnter
	keyInterrupt // Ctrl-C
	keyEnd       // Ctrl-D
	keyDelete
	keyEscape // alone
	keyPaste
	keyHangup
	keyLast
)

// A keyboard turns the bytes of a terminal into complete keys, so that nothing is
// inserted between the bytes of a key.
type keyboard struct {
	pending []byte
	pasting bool
	paste   []byte
	pastes  []string // complete, in the order of their keyPaste
}

const (
	pasteStart = "\x1b[200~"
	pasteEnd   = "\x1b[201~"
)

// feed parses bytes from the terminal and appends the complete keys to out.
func (k *keyboard) feed(out, b []byte) []byte {
	k.pending = append(k.pending, b...)
	for len(k.pending) > 0 {
		if k.pasting {
			i := bytes.Index(k.pending, []byte(pasteEnd))
			if i < 0 {
				keep := min(len(k.pending), len(pasteEnd)-1) // it may be the start of the end
				k.paste = append(k.paste, k.pending[:len(k.pending)-keep]...)
				k.pending = append(k.pending[:0], k.pending[len(k.pending)-keep:]...)
				return out
			}
			k.paste = append(k.paste, k.pending[:i]...)
			k.pending = k.pending[i+len(pasteEnd):]
			k.pastes = append(k.pastes, fold(string(k.paste)))
			k.paste, k.pasting = nil, false
			out = utf8.AppendRune(out, keyPaste)
			continue
		}
		n := keyLength(k.pending)
		if n == 0 {
			break
		}
		key := k.pending[:n]
		k.pending = k.pending[n:]
		if string(key) == pasteStart {
			k.pasting = true
			continue
		}
		out = appendKey(out, key)
	}
	return out
}

// partial reports whether the input so far may be a complete key: Escape.
func (k *keyboard) partial() bool { return len(k.pending) > 0 && k.pending[0] == 0x1b && !k.pasting }

// timeout is called when no input follows a partial key for a while.
func (k *keyboard) timeout(out []byte) []byte {
	k.pending = k.pending[:0]
	return utf8.AppendRune(out, keyEscape)
}

// keyLength returns the length of the first key of b, or 0 if it is incomplete.
func keyLength(b []byte) int {
	if b[0] != 0x1b {
		if !utf8.FullRune(b) {
			return 0
		}
		_, n := utf8.DecodeRune(b)
		return n
	}
	if len(b) == 1 {
		return 0
	}
	switch b[1] {
	case '[': // CSI: parameters, then a final byte
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 && b[i] <= 0x7e {
				return i + 1
			}
			if b[i] < 0x20 {
				return i // incomplete
			}
		}
		return 0
	case 'O': // SS3
		if len(b) < 3 {
			return 0
		}
		return 3
	case 0x1b:
		return 1
	}
	if !utf8.FullRune(b[1:]) {
		return 0
	}
	_, n := utf8.DecodeRune(b[1:])
	return 1 + n
}

// appendKey appends a key in the form for readline.
func appendKey(out, key []byte) []byte {
	if key[0] != 0x1b {
		r, _ := utf8.DecodeRune(key)
		switch {
		case r == 0 || r >= keyWake && r < keyLast:
			return out
		case r == utf8.RuneError && len(key) == 1:
			return out
		case r == '\r' || r == '\n':
			r = keyEnter
		case r == 3:
			r = keyInterrupt
		case r == 4:
			r = keyEnd
		case r >= 0x80 && r < 0xa0:
			return out
		}
		return utf8.AppendRune(out, r)
	}
	switch s := string(key); s {
	case "\x1b":
		return utf8.AppendRune(out, keyEscape)
	case "\x1b[3~":
		return utf8.AppendRune(out, keyDelete)
	case "\x1b[1~", "\x1b[7~":
		return append(out, 1)
	case "\x1b[4~", "\x1b[8~":
		return append(out, 5)
	case "\x1b[1;5C", "\x1b[1;3C":
		return append(out, "\x1bf"...)
	case "\x1b[1;5D", "\x1b[1;3D":
		return append(out, "\x1bb"...)
	case "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F",
		"\x1bOA", "\x1bOB", "\x1bOC", "\x1bOD", "\x1bOH", "\x1bOF",
		"\x1bb", "\x1bf", "\x1bd", "\x1b\x7f":
		return append(out, s...)
	}
	return out // an unknown key
}

// fold returns pasted text as one line: line endings become spaces, other control
// characters are removed.
func fold(text string) string {
	text = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(strings.TrimRight(text, "\r\n"))
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= keyWake && r < keyLast {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
