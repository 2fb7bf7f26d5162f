// Package frame is the framing of the WebSocket protocol (RFC 6455, section 5):
// opcodes, status codes, the header of a frame, masking. It has no connections; client
// and servers share it.
package frame

import (
	"encoding/binary"
	"unicode/utf8"
)

// An Opcode is the four-bit opcode of a frame (RFC 6455, section 5.2).
type Opcode byte

const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// Control reports whether the opcode is one of a control frame (section 5.5).
func (o Opcode) Control() bool { return o&0x8 != 0 }

// String returns the name in the RFC, in lower case.
func (o Opcode) String() string {
	switch o {
	case OpContinuation:
		return "continuation"
	case OpText:
		return "text"
	case OpBinary:
		return "binary"
	case OpClose:
		return "close"
	case OpPing:
		return "ping"
	case OpPong:
		return "pong"
	}
	return "reserved"
}

// Status codes of a close frame (RFC 6455, section 7.4.1). StatusNone and
// StatusAbnormal are never sent: they mean a close frame without a code, and a
// connection that ended without a close frame.
const (
	StatusNormal      = 1000
	StatusGoingAway   = 1001
	StatusProtocol    = 1002
	StatusUnsupported = 1003
	StatusNone        = 1005
	StatusAbnormal    = 1006
	StatusInvalid     = 1007
	StatusPolicy      = 1008
	StatusTooBig      = 1009
	StatusInternal    = 1011
)

// MaxControlPayload is the largest payload of a control frame, in bytes
// (RFC 6455, section 5.5).
const MaxControlPayload = 125

// A Header is the header of one frame (RFC 6455, section 5.2).
type Header struct {
	Fin    bool
	RSV    byte // the three reserved bits, RSV1 the highest: 4, 2, 1
	Opcode Opcode
	Masked bool
	Mask   [4]byte
	Length uint64 // of the payload, in bytes
}

// AppendHeader appends the shortest encoding of h to dst.
func AppendHeader(dst []byte, h Header) []byte {
	b := byte(h.Opcode)&0xF | h.RSV<<4&0x70
	if h.Fin {
		b |= 0x80
	}
	var m byte
	if h.Masked {
		m = 0x80
	}
	switch {
	case h.Length < 126:
		dst = append(dst, b, m|byte(h.Length))
	case h.Length <= 0xFFFF:
		dst = append(dst, b, m|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(h.Length))
	default:
		dst = append(dst, b, m|127)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	}
	if h.Masked {
		dst = append(dst, h.Mask[:]...)
	}
	return dst
}

// ParseHeader parses the header at the start of b. n is its length, or 0 if b contains
// only a part of it.
func ParseHeader(b []byte) (h Header, n int) {
	if len(b) < 2 {
		return Header{}, 0
	}
	h.Fin = b[0]&0x80 != 0
	h.RSV = b[0] >> 4 & 0x7
	h.Opcode = Opcode(b[0] & 0xF)
	h.Masked = b[1]&0x80 != 0
	n = 2
	switch l := b[1] & 0x7F; l {
	case 126:
		if len(b) < 4 {
			return Header{}, 0
		}
		h.Length, n = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return Header{}, 0
		}
		h.Length, n = binary.BigEndian.Uint64(b[2:]), 10
	default:
		h.Length = uint64(l)
	}
	if h.Masked {
		if len(b) < n+4 {
			return Header{}, 0
		}
		copy(h.Mask[:], b[n:])
		n += 4
	}
	return h, n
}

// Mask applies the masking key to b in place (RFC 6455, section 5.3). pos is the
// offset of b in the payload.
func Mask(b []byte, key [4]byte, pos uint64) {
	for len(b) > 0 && pos&3 != 0 {
		b[0] ^= key[pos&3]
		b, pos = b[1:], pos+1
	}
	k := uint64(binary.LittleEndian.Uint32(key[:]))
	for k |= k << 32; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^k)
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// ClosePayload returns the payload of a close frame; a reason that does not fit a
// control frame is truncated.
func ClosePayload(code int, reason string) []byte {
	if code == StatusNone || code == 0 {
		return nil
	}
	if most := MaxControlPayload - 2; len(reason) > most {
		for most > 0 && !utf8.RuneStart(reason[most]) {
			most--
		}
		reason = reason[:most]
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// ParseClose parses the payload of a close frame. An empty one yields StatusNone.
func ParseClose(b []byte) (code int, reason string) {
	if len(b) < 2 {
		return StatusNone, ""
	}
	return int(binary.BigEndian.Uint16(b)), string(b[2:])
}
